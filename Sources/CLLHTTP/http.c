// Compiles http.c of the Debian package node-llhttp.
#include "/usr/share/llhttp/http.c"

// Compiles api.c of the Debian package node-llhttp.
#include "/usr/share/llhttp/api.c"

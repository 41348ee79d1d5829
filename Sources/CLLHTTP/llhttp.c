// Compiles llhttp.c of the Debian package node-llhttp.
#include "/usr/share/llhttp/llhttp.c"

// The parser's own header, from the Debian package node-llhttp.
#include "/usr/share/include/llhttp/llhttp.h"

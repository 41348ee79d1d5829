// zlib (gzip, deflate) and zstd: decoders for compressed request bodies.
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

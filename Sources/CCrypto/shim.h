// OpenSSL libcrypto: digests and constant-time comparison.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

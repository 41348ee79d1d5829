// libcurl with typed functions in place of its variadic ones.
#pragma once
#include <curl/curl.h>

// SQLite; variadic calls get a typed inline function here when a caller needs one.
#include <sqlite3.h>

// The library's functions and tables, as its header offers them to one source file: Debian's
// archive is not position-independent, and a plugin must be.
#define MP_SOURCE 1
#include <msgpuck.h>

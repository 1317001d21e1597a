/* Where callgrind begins and ends to count: called through ctypes by benchmarks.speed.profile_child. */
#include <valgrind/callgrind.h>

void begin_counting(void) { CALLGRIND_START_INSTRUMENTATION; }

void end_counting(void) { CALLGRIND_STOP_INSTRUMENTATION; }

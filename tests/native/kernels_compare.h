// Comparing the kernels of one level with the plain ones.
#pragma once

#include <cstdio>

#include "kernels/kernels.h"
#include "kernels_area.h"

namespace {

using namespace vp8;

const char* level_name;  // for messages
#define CHECK_LEVEL(condition)                                  \
  do {                                                          \
    if (!(condition)) {                                         \
      std::fprintf(stderr, "level %s, %s\n", level_name, what); \
      CHECK(condition);                                         \
    }                                                           \
  } while (false)

// Runs `call(kernels, area)` on copies of `before` with both tables and compares.
template <typename Call>
void compare(const char* what, const Kernels& tested, const Area& before, Call&& call) {
  Area expected = before;
  call(kernels_at(SimdLevel::kReference), expected);
  CHECK_LEVEL(expected.same_outside_block(before));
  Area given = before;
  call(tested, given);
  CHECK_LEVEL(given.same_outside_block(before));
  CHECK_LEVEL(given == expected);
}

}  // namespace

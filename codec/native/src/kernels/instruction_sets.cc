#include "kernels/instruction_sets.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace vp8 {

#if defined(__x86_64__)

namespace {

// The CPU must have it, and the system must save the wide registers. Asked of the CPU
// itself, since zig's runtime library may lack the compiler's query.
bool has_avx2() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  constexpr unsigned kXsaveAndAvx = 1u << 27 | 1u << 28;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((ecx & kXsaveAndAvx) != kXsaveAndAvx) return false;
  constexpr unsigned kXmmAndYmm = 6;
  unsigned saved = 0;
  __asm__ volatile("xgetbv" : "=a"(saved), "=d"(edx) : "c"(0));
  if ((saved & kXmmAndYmm) != kXmmAndYmm) return false;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  return (ebx & 1u << 5) != 0;
}

}  // namespace

std::vector<SimdLevel> detected_levels() {
  std::vector<SimdLevel> levels = {SimdLevel::kReference, SimdLevel::kSse2};
  if (has_avx2()) levels.push_back(SimdLevel::kAvx2);
  return levels;
}

void install_instruction_sets(Kernels& table, SimdLevel level) {
  if (level >= SimdLevel::kSse2) install_sse2(table);
  if (level >= SimdLevel::kAvx2) install_avx2(table);
}

#elif defined(__aarch64__)

std::vector<SimdLevel> detected_levels() { return {SimdLevel::kReference, SimdLevel::kNeon}; }

void install_instruction_sets(Kernels& table, SimdLevel level) {
  if (level == SimdLevel::kNeon) install_neon(table);
}

#else

std::vector<SimdLevel> detected_levels() { return {SimdLevel::kReference}; }

void install_instruction_sets(Kernels&, SimdLevel) {}

#endif

}  // namespace vp8

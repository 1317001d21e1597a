// Which instruction sets this build and this CPU have.
#pragma once

#include <vector>

#include "kernels/kernels.h"

namespace vp8 {

// What this CPU can run: the reference, then each level that builds on it.
std::vector<SimdLevel> detected_levels();

// Overwrites entries with those of the instruction sets up to `level`.
void install_instruction_sets(Kernels& table, SimdLevel level);

// Each instruction set's own entries; defined for the architectures that have it.
void install_sse2(Kernels& table);
void install_avx2(Kernels& table);
void install_neon(Kernels& table);

}  // namespace vp8

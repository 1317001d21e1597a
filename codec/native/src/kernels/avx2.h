// The parts of the AVX2 kernels.
#pragma once

#include "kernels/kernels.h"

namespace vp8 {

void install_avx2_interpolation(Kernels& table);
void install_avx2_blocks(Kernels& table);
void install_avx2_loop_filters(Kernels& table);

}  // namespace vp8

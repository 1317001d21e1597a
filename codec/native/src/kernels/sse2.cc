// The kernels in SSE2, which every x86-64 has.
#if defined(__x86_64__)

#include "kernels/instruction_sets.h"
#include "kernels/simd_distortion.h"
#include "kernels/simd_interpolation.h"
#include "kernels/simd_intra.h"
#include "kernels/simd_loop_filters.h"
#include "kernels/simd_transforms.h"

namespace vp8 {

void install_sse2(Kernels& table) {
  install_simd_interpolation(table);
  install_simd_transforms(table);
  install_simd_distortion(table);
  install_simd_intra(table);
  install_simd_loop_filters(table);
}

}  // namespace vp8

#endif

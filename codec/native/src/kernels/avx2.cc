// The kernels in AVX2: those of 128 bits, compiled for AVX2, unless wider ones are faster.
#if defined(__x86_64__)

#include "kernels/avx2.h"

#include "kernels/instruction_sets.h"
#include "kernels/simd_distortion.h"
#include "kernels/simd_interpolation.h"
#include "kernels/simd_intra_lookup.h"
#include "kernels/simd_loop_filters.h"
#include "kernels/simd_transforms.h"
#include "kernels/simd_weighting_lookup.h"

namespace vp8 {

void install_avx2(Kernels& table) {
  install_simd_interpolation(table);
  install_simd_transforms(table);
  install_simd_distortion(table);
  install_simd_intra(table);
  install_simd_loop_filters(table);
  install_weighting_lookup(table);
  table.predict_all_subblocks = predict_all_subblocks_lookup;
  install_avx2_interpolation(table);
  install_avx2_blocks(table);
  install_avx2_loop_filters(table);
}

}  // namespace vp8

#endif

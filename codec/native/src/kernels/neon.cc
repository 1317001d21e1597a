// The kernels in NEON.
#if defined(__aarch64__)

#include "kernels/instruction_sets.h"
#include "kernels/simd_distortion.h"
#include "kernels/simd_interpolation.h"
#include "kernels/simd_intra_lookup.h"
#include "kernels/simd_loop_filters.h"
#include "kernels/simd_transforms.h"
#include "kernels/simd_weighting_lookup.h"

namespace vp8 {

void install_neon(Kernels& table) {
  install_simd_interpolation(table);
  install_simd_transforms(table);
  install_simd_distortion(table);
  install_simd_intra(table);
  install_simd_loop_filters(table);
  install_weighting_lookup(table);
  table.predict_all_subblocks = predict_all_subblocks_lookup;
}

}  // namespace vp8

#endif

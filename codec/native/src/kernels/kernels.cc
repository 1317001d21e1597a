#include "kernels/kernels.h"

namespace vp8 {

const Kernels& kernels() {
  static const Kernels table = [] {
    Kernels filled{};
    install_reference_interpolation(filled);
    install_reference_transforms(filled);
    install_reference_distortion(filled);
    install_reference_loop_filters(filled);
    return filled;
  }();
  return table;
}

}  // namespace vp8

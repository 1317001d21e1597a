#include "picture/intra_prediction.h"

#include <cstring>

#include "kernels/kernels.h"

namespace vp8 {
namespace {

constexpr int kAbove = 127;
constexpr int kLeft = 129;

}  // namespace

void prepare_intra_borders(Raster& raster) {
  for (int i = 0; i < kPlanes; ++i) {
    const MutablePlane plane = raster.mutable_plane(i);
    std::memset(plane.at(-1, -1), kAbove, static_cast<std::size_t>(plane.width + 5));
    for (int y = 0; y < plane.height; ++y) *plane.at(-1, y) = kLeft;
  }
}

void prepare_row_end(Raster& raster, int mb_row) {
  const MutablePlane luma = raster.mutable_plane(0);
  std::memset(luma.at(luma.width, mb_row * 16 + 15), *luma.at(luma.width - 1, mb_row * 16 + 15), 4);
}

void predict_intra(MacroblockMode mode, int size, std::uint8_t* pixels, std::ptrdiff_t stride,
                   bool has_above, bool has_left) {
  const Kernels& k = kernels();
  const int index = size == 16 ? 1 : 0;
  switch (mode) {
    case V_PRED:
      k.predict_vertical[index](pixels, stride);
      break;
    case H_PRED:
      k.predict_horizontal[index](pixels, stride);
      break;
    case TM_PRED:
      k.predict_true_motion[index](pixels, stride);
      break;
    default:
      k.predict_dc[index](pixels, stride, has_above, has_left);
      break;
  }
}

void predict_subblock(SubblockMode mode, std::uint8_t* pixels, std::ptrdiff_t stride,
                      const std::uint8_t* above_right) {
  const SubblockEdge edge = subblock_edge(pixels, stride, above_right);
  kernels().predict_subblock[mode](edge.pixels, pixels, stride);
}

}  // namespace vp8

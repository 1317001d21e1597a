#include "picture/reconstruct.h"

#include <algorithm>
#include <cstring>

#include "kernels/kernels.h"
#include "picture/intra_prediction.h"
#include "picture/transform.h"

namespace vp8 {
namespace {

// The four luma blocks of one row side by side.
void add_luma_row(const std::int16_t (*values)[16], const std::uint8_t* ends, const int* steps,
                  std::uint8_t* pixels, std::ptrdiff_t stride) {
  const int most = std::max(std::max(ends[0], ends[1]), std::max(ends[2], ends[3]));
  if (most > 1) {
    kernels().dequantize_inverse_dct_add[2](values[0], steps[0], steps[1], pixels, stride);
  } else if (most == 1) {
    std::int16_t dcs[4];
    for (int i = 0; i < 4; ++i) dcs[i] = static_cast<std::int16_t>(values[i][0] * steps[0]);
    kernels().inverse_dct_dc_add[2](dcs, pixels, stride);
  }
}

// The same if the DCs come from Y2, already dequantised.
void add_luma_row_after_y2(const std::int16_t (*values)[16], const std::uint8_t* ends,
                           const std::int16_t* dcs, const int* steps, std::uint8_t* pixels,
                           std::ptrdiff_t stride) {
  const int most = std::max(std::max(ends[0], ends[1]), std::max(ends[2], ends[3]));
  if (most <= 1) {
    kernels().inverse_dct_dc_add[2](dcs, pixels, stride);
    return;
  }
  alignas(32) std::int16_t with_dcs[4][16];
  std::memcpy(with_dcs, values, sizeof with_dcs);
  for (int i = 0; i < 4; ++i) with_dcs[i][0] = dcs[i];
  kernels().dequantize_inverse_dct_add[2](with_dcs[0], 1, steps[1], pixels, stride);
}

void add_luma_residue(const MacroblockInfo& info, const MacroblockCoefficients& coefficients,
                      const QuantizerSteps& steps, const MacroblockPixels& target) {
  const std::ptrdiff_t stride = target.stride[0];
  alignas(32) std::int16_t dcs[16];
  if (info.has_y2()) {
    kernels().dequantize_inverse_walsh(coefficients.values[kY2Block], steps.y2[0], steps.y2[1],
                                       dcs);
  }
  for (int row = 0; row < 4; ++row) {
    const std::int16_t (*values)[16] = coefficients.values + 4 * row;
    const std::uint8_t* ends = coefficients.ends + 4 * row;
    std::uint8_t* pixels = target.pixels[0] + 4 * row * stride;
    if (info.has_y2()) {
      add_luma_row_after_y2(values, ends, dcs + 4 * row, steps.y, pixels, stride);
    } else {
      add_luma_row(values, ends, steps.y, pixels, stride);
    }
  }
}

void add_chroma_residue(const MacroblockCoefficients& coefficients, const QuantizerSteps& steps,
                        const MacroblockPixels& target) {
  for (int i = 16; i < kY2Block; i += 2) {
    const int most = std::max(coefficients.ends[i], coefficients.ends[i + 1]);
    if (most == 0) continue;
    const int plane = i < 20 ? 1 : 2;
    std::uint8_t* pixels = target.pixels[plane] + (i & 2) * 2 * target.stride[plane];
    const std::int16_t (*values)[16] = coefficients.values + i;
    if (most > 1) {
      kernels().dequantize_inverse_dct_add[1](values[0], steps.uv[0], steps.uv[1], pixels,
                                              target.stride[plane]);
    } else {
      const std::int16_t dcs[2] = {static_cast<std::int16_t>(values[0][0] * steps.uv[0]),
                                   static_cast<std::int16_t>(values[1][0] * steps.uv[0])};
      kernels().inverse_dct_dc_add[1](dcs, pixels, target.stride[plane]);
    }
  }
}

void reconstruct_subblocks(const MacroblockInfo& info, const MacroblockCoefficients& coefficients,
                           const QuantizerSteps& steps, const MacroblockPixels& target) {
  const std::ptrdiff_t stride = target.stride[0];
  const AboveRight above_right{target.pixels[0] - stride, stride};
  for (int i = 0; i < 16; ++i) {
    std::uint8_t* pixels = target.pixels[0] + (i >> 2) * 4 * stride + (i & 3) * 4;
    predict_subblock(info.subblock_modes[static_cast<std::size_t>(i)], pixels, stride,
                     above_right.of(i));
    // Without tokens, the coefficients belong to another macroblock.
    if (info.has_tokens) {
      add_block(coefficients.values[i], coefficients.ends[i], steps.y, pixels, stride);
    }
  }
}

}  // namespace

ReconstructionContext::ReconstructionContext(const State* before, const FrameHeader& header,
                                             const CodingContext& context)
    : filter(InterpolationFilter::of_version(header.start.version)) {
  for (int segment = 0; segment < kMaxSegments; ++segment) {
    steps[static_cast<std::size_t>(segment)] =
        quantizer_steps(header.quantizer_index(context.segmentation, segment), header.quantizer);
  }
  if (!header.start.key_frame) references = before->references;
}

LoopFilterSettings loop_filter_settings(const FrameHeader& header, const CodingContext& context) {
  LoopFilterSettings settings;
  settings.simple = header.loop_filter.simple;
  settings.level = header.loop_filter.level;
  settings.sharpness_level = header.loop_filter.sharpness_level;
  settings.deltas_enabled = header.loop_filter.deltas_enabled;
  settings.deltas = context.loop_filter_deltas;
  settings.key_frame = header.start.key_frame;
  for (std::size_t i = 0; i < kMaxSegments; ++i) {
    int level = settings.level;
    if (header.segmentation.enabled) {
      const int value = context.segmentation.loop_filter[i];
      level =
          clamp_int(context.segmentation.absolute ? value : level + value, 0, kMaxLoopFilterLevel);
    }
    settings.segment_levels[i] = level;
  }
  return settings;
}

std::shared_ptr<Raster> begin_raster(int width, int height) {
  auto raster = std::make_shared<Raster>(width, height);
  prepare_intra_borders(*raster);
  return raster;
}

void predict_macroblock(const ReconstructionContext& context, const MacroblockInfo& info,
                        int mb_row, int mb_col, Raster& raster) {
  const MacroblockPixels target = macroblock_pixels(raster, mb_row, mb_col);
  if (info.is_inter()) {
    const Raster& reference = context.reference_of(info);
    predict_inter_luma(info, reference, mb_row, mb_col, context.filter, target);
    predict_inter_chroma(info, reference, mb_row, mb_col, context.filter, target);
    return;
  }
  const bool has_above = mb_row > 0;
  const bool has_left = mb_col > 0;
  if (info.y_mode != B_PRED) {
    predict_intra(info.y_mode, 16, target.pixels[0], target.stride[0], has_above, has_left);
  }
  for (int p = 1; p < kPlanes; ++p) {
    predict_intra(info.uv_mode, 8, target.pixels[p], target.stride[p], has_above, has_left);
  }
}

void add_residue(const MacroblockInfo& info, const MacroblockCoefficients& coefficients,
                 const QuantizerSteps& steps, int mb_row, int mb_col, Raster& raster) {
  const MacroblockPixels target = macroblock_pixels(raster, mb_row, mb_col);
  if (info.y_mode != B_PRED) add_luma_residue(info, coefficients, steps, target);
  add_chroma_residue(coefficients, steps, target);
}

void end_macroblock(int mb_row, int mb_col, Raster& raster) {
  if (mb_col + 1 == raster.macroblock_columns()) prepare_row_end(raster, mb_row);
}

void reconstruct_macroblock(const ReconstructionContext& context, const MacroblockInfo& info,
                            const MacroblockCoefficients& coefficients, int mb_row, int mb_col,
                            Raster& raster) {
  const QuantizerSteps& steps = context.steps_of(info);
  predict_macroblock(context, info, mb_row, mb_col, raster);
  if (!info.is_inter() && info.y_mode == B_PRED) {
    reconstruct_subblocks(info, coefficients, steps, macroblock_pixels(raster, mb_row, mb_col));
  }
  if (info.has_tokens) add_residue(info, coefficients, steps, mb_row, mb_col, raster);
  end_macroblock(mb_row, mb_col, raster);
}

}  // namespace vp8

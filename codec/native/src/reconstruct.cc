#include "reconstruct.h"

#include "intra_prediction.h"
#include "transform.h"

namespace vp8 {
namespace {

void add_luma_residue(const MacroblockInfo& info, const MacroblockCoefficients& coefficients,
                      const QuantizerSteps& steps, const MacroblockPixels& target) {
  std::int16_t dc[16] = {};
  if (info.has_y2()) invert_y2(coefficients.values[kY2Block], steps.y2, dc);
  for (int i = 0; i < 16; ++i) {
    std::uint8_t* pixels = target.pixels[0] + (i >> 2) * 4 * target.stride[0] + (i & 3) * 4;
    if (info.has_y2()) {
      add_block_after_y2(coefficients.values[i], coefficients.ends[i], dc[i], steps.y, pixels,
                         target.stride[0]);
    } else {
      add_block(coefficients.values[i], coefficients.ends[i], steps.y, pixels, target.stride[0]);
    }
  }
}

void add_chroma_residue(const MacroblockCoefficients& coefficients, const QuantizerSteps& steps,
                        const MacroblockPixels& target) {
  for (int i = 0; i < 8; ++i) {
    const int plane = 1 + i / 4;
    const int x = (i & 1) * 4;
    const int y = ((i >> 1) & 1) * 4;
    add_block(coefficients.values[16 + i], coefficients.ends[16 + i], steps.uv,
              target.pixels[plane] + y * target.stride[plane] + x, target.stride[plane]);
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
    add_block(coefficients.values[i], coefficients.ends[i], steps.y, pixels, stride);
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

void reconstruct_macroblock(const ReconstructionContext& context, const MacroblockInfo& info,
                            const MacroblockCoefficients& coefficients, int mb_row, int mb_col,
                            Raster& raster) {
  const QuantizerSteps& steps = context.steps_of(info);
  predict_macroblock(context, info, mb_row, mb_col, raster);
  if (!info.is_inter() && info.y_mode == B_PRED) {
    reconstruct_subblocks(info, coefficients, steps, macroblock_pixels(raster, mb_row, mb_col));
  }
  if (info.has_tokens) add_residue(info, coefficients, steps, mb_row, mb_col, raster);
  if (mb_col + 1 == raster.macroblock_columns()) prepare_row_end(raster, mb_row);
}

void finish_raster(Raster& raster, const MacroblockGrid& macroblocks,
                   const LoopFilterSettings& settings) {
  filter_frame(raster, macroblocks, settings);
  raster.extend_borders();
}

}  // namespace vp8

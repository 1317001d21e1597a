#include "rebase.h"

#include <string>

#include "frame_reader.h"
#include "intra_prediction.h"
#include "status.h"
#include "transform.h"

namespace vp8 {
namespace {

void check(const State& before, const State& made_for, const Raster& source,
           const std::uint8_t* frame, std::size_t size) {
  if (size == 0) {
    throw CodecError(Status::kInvalidArgument, "an empty frame has nothing to rebase");
  }
  if (parse_frame_start(frame, size).key_frame) {
    throw CodecError(Status::kInvalidArgument, "a key frame needs no rebase");
  }
  const auto fits = [&](int width, int height) {
    return width == before.width && height == before.height;
  };
  if (!fits(made_for.width, made_for.height) || !fits(source.width(), source.height())) {
    throw CodecError(Status::kStateMismatch,
                     "rebase needs states and a raster of one size; the state has " +
                         std::to_string(before.width) + "x" + std::to_string(before.height));
  }
}

// What the original header changes, on top of the state that really comes before.
CodingContext context_on(const State& before, const FrameReader& reader) {
  CodingContext context = before.context;
  const FrameHeader& header = reader.header();
  if (header.segmentation.update_data) context.segmentation = reader.context().segmentation;
  for (std::size_t i = 0; i < 4; ++i) {
    if (header.loop_filter.reference_deltas[i]) {
      context.loop_filter_deltas.reference[i] = *header.loop_filter.reference_deltas[i];
    }
    if (header.loop_filter.mode_deltas[i]) {
      context.loop_filter_deltas.mode[i] = *header.loop_filter.mode_deltas[i];
    }
  }
  context.sign_bias = reader.context().sign_bias;
  return context;
}

class Rebaser {
 public:
  Rebaser(FrameWriter& writer) : writer_(writer) {}

  void rebase(int row, int column, MacroblockInfo info, const MacroblockCoefficients& original) {
    info.segment = static_cast<std::uint8_t>(writer_.segment_at(row, column));
    const ResidueCoder coder{
        writer_.token_rates(), writer_.lagrangian(info.segment),
        writer_.reconstruction().steps[info.segment], &original};
    MacroblockCoefficients coefficients;
    coefficients.clear();
    TokenContext above = writer_.above(column);
    TokenContext left = writer_.left(column);
    const MacroblockPixels source = writer_.source_at(row, column);
    const MacroblockPixels target = writer_.target_at(row, column);
    predict_macroblock(writer_.reconstruction(), info, row, column, writer_.raster());
    if (info.y_mode == B_PRED) {
      code_subblocks(coder, info, source, target, above, left, coefficients);
      coder.code_chroma(source, target, above, left, coefficients);
    } else {
      ResidueCost cost =
          coder.code_luma(info.has_y2(), source, target, above, left, coefficients);
      cost += coder.code_chroma(source, target, above, left, coefficients);
      if (cost.uncoded <= cost.coded) coefficients.clear();
    }
    writer_.commit(row, column, info, coefficients);
  }

 private:
  // Each subblock is predicted from those before it, finished.
  static void code_subblocks(const ResidueCoder& coder, const MacroblockInfo& info,
                             const MacroblockPixels& source, const MacroblockPixels& target,
                             TokenContext& above, TokenContext& left,
                             MacroblockCoefficients& coefficients) {
    const std::ptrdiff_t stride = target.stride[0];
    const AboveRight above_right{target.pixels[0] - stride, stride};
    for (int i = 0; i < 16; ++i) {
      const std::ptrdiff_t line = (i >> 2) * 4;
      const std::ptrdiff_t offset = (i & 3) * 4;
      std::uint8_t* pixels = target.pixels[0] + line * stride + offset;
      predict_subblock(info.subblock_modes[static_cast<std::size_t>(i)], pixels, stride,
                       above_right.of(i));
      coder.code_subblock(i, source.pixels[0] + line * source.stride[0] + offset, source.stride[0],
                          pixels, stride, above, left, coefficients);
      add_block(coefficients.values[i], coefficients.ends[i], coder.steps.y, pixels, stride);
    }
  }

  FrameWriter& writer_;
};

}  // namespace

EncodedFrame rebase_frame(const SharedState& before, const SharedRaster& source,
                          const std::uint8_t* frame, std::size_t size,
                          const SharedState& made_for) {
  check(*before, *made_for, *source, frame, size);
  FrameReader reader(made_for.get(), frame, size);
  // The map has to be whole before the first macroblock is weighed, so the frame
  // is read to its end first.
  const MacroblockGrid& macroblocks = reader.macroblocks();
  std::vector<MacroblockCoefficients> originals(
      static_cast<std::size_t>(macroblocks.rows() * macroblocks.columns()));
  for (int row = 0; row < macroblocks.rows(); ++row) {
    for (int column = 0; column < macroblocks.columns(); ++column) {
      reader.read_macroblock(
          row, column, originals[static_cast<std::size_t>(row * macroblocks.columns() + column)]);
    }
  }
  const auto map =
      reader.header().segmentation.update_map ? reader.segment_map() : before->segment_map;
  FrameWriter writer(before.get(), *source, reader.header(), context_on(*before, reader), map);
  Rebaser rebaser(writer);
  for (int row = 0; row < macroblocks.rows(); ++row) {
    for (int column = 0; column < macroblocks.columns(); ++column) {
      rebaser.rebase(row, column, macroblocks.at(row, column),
                     originals[static_cast<std::size_t>(row * macroblocks.columns() + column)]);
    }
  }
  return writer.finish(false);
}

}  // namespace vp8

#include "rebase.h"

#include <string>

#include "frame_reader.h"
#include "mode_decision.h"
#include "status.h"

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

// Whether every prediction comes out as it did.
bool references_equal(const State& a, const State& b) {
  for (std::size_t i = kLastFrame; i <= kAltrefFrame; ++i) {
    if (a.references[i] != b.references[i] && !(*a.references[i] == *b.references[i])) return false;
  }
  return a.context.segmentation == b.context.segmentation && *a.segment_map == *b.segment_map;
}

}  // namespace

EncodedFrame rebase_frame(const SharedState& before, const SharedRaster& picture,
                          const std::uint8_t* frame, std::size_t size,
                          const SharedState& made_for) {
  check(*before, *made_for, *picture, frame, size);
  const SharedRaster source = with_repeated_edges(picture);
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
  // Where nothing that a macroblock is predicted from has changed, it stays.
  const bool carry_over = references_equal(*before, *made_for);
  ModeDecision decision(writer);
  for (int row = 0; row < macroblocks.rows(); ++row) {
    for (int column = 0; column < macroblocks.columns(); ++column) {
      const MacroblockInfo& info = macroblocks.at(row, column);
      const MacroblockCoefficients& original =
          originals[static_cast<std::size_t>(row * macroblocks.columns() + column)];
      if (carry_over) {
        writer.commit(row, column, info, original);
      } else {
        decision.decide_again(row, column, info, original);
      }
    }
  }
  return writer.finish(!carry_over);
}

}  // namespace vp8

#include "operations/decode.h"

#include <utility>

#include "bitstream/frame_reader.h"
#include "common/status.h"
#include "parallel/wavefront.h"
#include "picture/filter_rows.h"
#include "picture/reconstruct.h"
#include "picture/state_update.h"

namespace vp8 {
namespace {

// Reads and reconstructs a frame into `raster`.
//
// A partition can only be read from its beginning, so rows take turns at reading. A single
// thread reconstructs each macroblock as soon as it is read. Several threads first read a
// whole row, so that the next row's reader need not wait for reconstruction.
void decode_rows(FrameReader& reader, const ReconstructionContext& context,
                 const FilterRows& filter, Raster& raster, ThreadTeam& team) {
  const MacroblockGrid& macroblocks = reader.macroblocks();
  const int columns = macroblocks.columns();
  const bool alone = team.size() == 1;
  Wavefront wavefront(macroblocks.rows(), columns);
  wavefront.run(team, [&](int row) {
    // One for each macroblock of the row, or a single one for a thread alone.
    thread_local std::vector<MacroblockCoefficients> coefficients;
    coefficients.resize(alone ? 1 : static_cast<std::size_t>(columns));
    const auto of = [&](int column) -> MacroblockCoefficients& {
      return coefficients[alone ? 0 : static_cast<std::size_t>(column)];
    };
    wavefront.await_turn(row);
    if (!alone) {
      for (int column = 0; column < columns; ++column) {
        reader.read_macroblock(row, column, of(column));
      }
      wavefront.end_turn(row);
    }
    int seen = 0;
    for (int column = 0; column < columns; ++column) {
      if (alone) {
        reader.read_macroblock(row, column, of(column));
      } else {
        wavefront.await_above(row, column, seen);
      }
      reconstruct_macroblock(context, macroblocks.at(row, column), of(column), row, column, raster);
      filter.reconstructed(row, column);
      if (!alone) wavefront.publish(row, column);
    }
    if (alone) wavefront.end_turn(row);
  });
}

DecodedFrame decode_frame(const SharedState& before, FrameBytes frame, ThreadTeam& team) {
  if (frame.empty()) {
    if (!before) {
      throw CodecError(Status::kInvalidBitstream, "a stream cannot begin with an empty frame");
    }
    return {before, before->references[kLastFrame]};
  }
  FrameReader reader(before.get(), frame.data(), frame.size());
  const FrameHeader& header = reader.header();
  const int width = header.start.key_frame ? header.start.width : before->width;
  const int height = header.start.key_frame ? header.start.height : before->height;

  const ReconstructionContext context(before.get(), header, reader.context());
  const LoopFilterSettings settings = loop_filter_settings(header, reader.context());
  const std::shared_ptr<Raster> raster = begin_raster(width, height);
  decode_rows(reader, context, FilterRows(*raster, reader.macroblocks(), settings, team), *raster,
              team);
  return {next_state(before.get(), header, reader.context(), raster, reader.segment_map()), raster};
}

SharedState skim_frame(const SharedState& before, FrameBytes frame) {
  if (frame.empty()) return before;
  FrameReader reader(before.get(), frame.data(), frame.size());
  FrameHeader header = reader.header();
  if (header.start.key_frame) {
    throw CodecError(Status::kInvalidArgument, "a key frame leaves nothing of a state");
  }
  if (header.segmentation.update_map) {
    for (int row = 0; row < reader.macroblocks().rows(); ++row) {
      for (int column = 0; column < reader.macroblocks().columns(); ++column) {
        reader.read_modes(row, column);
      }
    }
  }
  header.refresh_last = header.refresh_golden = header.refresh_altref = false;
  header.copy_to_golden = header.copy_to_altref = BufferCopy::kNone;
  return next_state(before.get(), header, reader.context(), nullptr, reader.segment_map());
}

// Hands each decoded frame to take() and returns the state after the last.
template <typename Take>
SharedState decode_each(SharedState state, std::span<const FrameBytes> frames, ThreadTeam& team,
                        Take&& take) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    DecodedFrame decoded =
        for_frame(i, frames.size(), [&] { return decode_frame(state, frames[i], team); });
    state = decoded.state;
    take(std::move(decoded));
  }
  return state;
}

}  // namespace

std::vector<DecodedFrame> decode_chunk(SharedState before, std::span<const FrameBytes> frames,
                                       ThreadTeam& team) {
  std::vector<DecodedFrame> decoded;
  decode_each(std::move(before), frames, team,
              [&](DecodedFrame&& frame) { decoded.push_back(std::move(frame)); });
  return decoded;
}

SharedState advance(SharedState before, std::span<const FrameBytes> frames, ThreadTeam& team) {
  SharedState after = decode_each(std::move(before), frames, team, [](DecodedFrame&&) {});
  if (!after) {
    throw CodecError(Status::kInvalidArgument, "no state and no frames: nothing to return");
  }
  return after;
}

SharedState skim(SharedState before, std::span<const FrameBytes> frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    before = for_frame(i, frames.size(), [&] { return skim_frame(before, frames[i]); });
  }
  return before;
}

}  // namespace vp8

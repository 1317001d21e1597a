#include "operations/rebase.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "bitstream/frame_reader.h"
#include "bitstream/macroblock_header.h"
#include "common/status.h"
#include "decide/repeat_decider.h"
#include "parallel/wavefront.h"

namespace vp8 {
namespace {

void check(const State& before, const FrameToRebase& frame) {
  if (frame.frame.empty()) {
    throw CodecError(Status::kInvalidArgument, "an empty frame has nothing to rebase");
  }
  if (parse_frame_start(frame.frame.data(), frame.frame.size()).key_frame) {
    throw CodecError(Status::kInvalidArgument, "a key frame needs no rebase");
  }
  const auto fits = [&](int width, int height) {
    return width == before.width && height == before.height;
  };
  if (!fits(frame.made_for->width, frame.made_for->height) ||
      !fits(frame.source->width(), frame.source->height())) {
    throw CodecError(Status::kStateMismatch,
                     "rebase needs states and a raster of one size; the state has " +
                         std::to_string(before.width) + "x" + std::to_string(before.height));
  }
}

// The header's changes, applied to the state that really comes before.
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

// Keeps the frame's modes and coefficients.
void carry_over(FrameReader& reader, FrameWriter& writer, ThreadTeam& team) {
  const MacroblockGrid& macroblocks = reader.macroblocks();
  Wavefront wavefront(macroblocks.rows(), macroblocks.columns());
  wavefront.run(team, [&](int row) {
    RowWriter row_writer(writer, row);
    std::vector<MacroblockCoefficients> coefficients(
        static_cast<std::size_t>(macroblocks.columns()));
    wavefront.await_turn(row);
    for (int column = 0; column < macroblocks.columns(); ++column) {
      reader.read_macroblock(row, column, coefficients[static_cast<std::size_t>(column)]);
    }
    wavefront.end_turn(row);
    int seen = 0;
    for (int column = 0; column < macroblocks.columns(); ++column) {
      wavefront.await_above(row, column, seen);
      const MacroblockInfo& info = macroblocks.at(row, column);
      MvCandidates suggested{};
      if (info.is_inter()) {
        suggested = mv_candidates_at(writer.macroblocks(), row, column, info.reference,
                                     writer.context().sign_bias);
      }
      row_writer.commit(column, info, suggested, coefficients[static_cast<std::size_t>(column)],
                        false);
      wavefront.publish(row, column);
    }
  });
}

// Decides all modes again; the frame's own coefficients are not even read.
void decide_again(FrameReader& reader, FrameWriter& writer, const RepeatEffort& effort,
                  ThreadTeam& team, const std::function<void()>& meanwhile) {
  const MacroblockGrid& macroblocks = reader.macroblocks();
  Wavefront wavefront(macroblocks.rows(), macroblocks.columns());
  wavefront.run(
      team,
      [&](int row) {
        RowWriter row_writer(writer, row);
        RepeatDecider decider(row_writer, effort);
        wavefront.await_turn(row);
        for (int column = 0; column < macroblocks.columns(); ++column) {
          reader.read_modes(row, column);
        }
        wavefront.end_turn(row);
        int seen = 0;
        for (int column = 0; column < macroblocks.columns(); ++column) {
          wavefront.await_above(row, column, seen);
          decider.decide(column, macroblocks.at(row, column));
          wavefront.publish(row, column);
        }
      },
      meanwhile);
}

// A frame whose state is known and whose bytes are yet to be written.
struct DecidedFrame {
  std::unique_ptr<FrameWriter> writer;
  SharedState after;
};

// Rebases one frame up to its bytes. Runs write_previous() as soon as the frame is known
// to be readable, beside the other work if possible.
DecidedFrame decide_frame(const State& before, const FrameToRebase& frame,
                          const RebaseSettings& settings, ThreadTeam& team,
                          const std::function<void()>& write_previous) {
  check(before, frame);
  const SharedRaster source = with_repeated_edges(frame.source);
  FrameReader reader(frame.made_for, frame.frame.data(), frame.frame.size());
  auto writer =
      std::make_unique<FrameWriter>(&before, *source, reader.header(), context_on(before, reader),
                                    before.segment_map, kNoFilterSearch, team);
  // If nothing that macroblocks are predicted from has changed, the macroblocks stay.
  if (predicts_as(before, *frame.made_for)) {
    write_previous();
    carry_over(reader, *writer, team);
  } else {
    decide_again(reader, *writer, settings.effort, team, write_previous);
  }
  SharedState after = writer->finish(team);
  return {std::move(writer), std::move(after)};
}

}  // namespace

// The next frame needs the state after a frame, but not its bytes: those are written
// while the next frame is worked on.
RebasedChunk rebase_chunk(SharedState before, std::span<const FrameToRebase> chunk,
                          const RebaseSettings& settings, ThreadTeam& team) {
  const std::size_t count = chunk.size();
  RebasedChunk rebased{std::vector<std::vector<std::uint8_t>>(count), std::move(before)};
  std::unique_ptr<FrameWriter> previous;
  const auto write = [&](std::size_t index) {
    for_frame(index, count, [&] { rebased.frames[index] = previous->serialize(); });
  };
  for (std::size_t i = 0; i < count; ++i) {
    DecidedFrame decided = for_frame(i, count, [&] {
      return decide_frame(*rebased.state, chunk[i], settings, team, [&] {
        if (i > 0) write(i - 1);
      });
    });
    previous = std::move(decided.writer);
    rebased.state = std::move(decided.after);
  }
  if (count > 0) write(count - 1);
  return rebased;
}

}  // namespace vp8

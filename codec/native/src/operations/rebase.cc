#include "operations/rebase.h"

#include <functional>
#include <string>
#include <utility>

#include "bitstream/frame_reader.h"
#include "bitstream/macroblock_header.h"
#include "common/status.h"
#include "decide/repeat_decider.h"
#include "parallel/wavefront.h"

namespace vp8 {
namespace {

void check(const State& before, const Basis& made_for, const Raster& source,
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

// Modes read from the frame are taken over with their coefficients.
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

// Modes are decided again; the frame's own coefficients are not even read.
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

}  // namespace

Rebase::Rebase(const RebaseOptions& options, ThreadTeam& team) : options_(options), team_(team) {}
Rebase::~Rebase() = default;

SharedState Rebase::frame(const SharedState& before, const SharedRaster& picture,
                          const std::uint8_t* frame, std::size_t size, const Basis& made_for,
                          std::vector<std::uint8_t>* bytes_of_previous) {
  check(*before, made_for, *picture, frame, size);
  const SharedRaster source = with_repeated_edges(picture);
  FrameReader reader(&made_for, frame, size);
  auto writer =
      std::make_unique<FrameWriter>(before.get(), *source, reader.header(),
                                    context_on(*before, reader), before->segment_map, 0, team_);
  const auto write_previous = [&] {
    if (previous_) *bytes_of_previous = previous_->serialize();
  };
  // Where nothing that a macroblock is predicted from has changed, it stays.
  if (predicts_as(*before, made_for)) {
    write_previous();
    carry_over(reader, *writer, team_);
  } else {
    decide_again(reader, *writer, options_.effort, team_, write_previous);
  }
  SharedState after = writer->finish(team_);
  previous_ = std::move(writer);
  return after;
}

std::vector<std::uint8_t> Rebase::finish() {
  std::vector<std::uint8_t> bytes = previous_->serialize();
  previous_.reset();
  return bytes;
}

}  // namespace vp8

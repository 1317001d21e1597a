// An error in a chunk names the frame that had it. The bytes of a rebased frame are written while
// the next frame is worked on, so an error in writing them comes up in the next frame's time.
#include <memory>
#include <string>
#include <vector>

#include "bitstream/macroblock_header.h"
#include "check.h"
#include "decide/entropy_update.h"
#include "operations/decode.h"
#include "operations/rebase.h"

namespace {

using namespace vp8;

// Enough macroblocks for more modes and vectors than a first partition holds.
constexpr int kRows = 110;
constexpr int kColumns = 110;

using Bytes = std::vector<std::uint8_t>;

SharedRaster flat_raster(std::uint8_t value) {
  auto raster = std::make_shared<Raster>(kColumns * 16, kRows * 16);
  const Bytes pixels(static_cast<std::size_t>(kColumns) * 16, value);
  for (int plane = 0; plane < kPlanes; ++plane) raster->load_plane(plane, pixels.data(), 0);
  for (int row = 0; row < kRows; ++row) raster->extend_row(row);
  return raster;
}

SharedState state_of(const SharedRaster& raster) {
  auto state = std::make_shared<State>();
  state->width = raster->width();
  state->height = raster->height();
  state->context = key_frame_context();
  state->segment_map =
      std::make_shared<const SegmentMap>(static_cast<std::size_t>(kRows * kColumns));
  state->references = {nullptr, raster, raster, raster};
  return state;
}

// A macroblock of 16 vectors, each as far from its prediction as can be coded.
MacroblockInfo split_at_random(MotionVector best, Random& random) {
  const auto component = [&](int from) {
    return static_cast<std::int16_t>(from + random.between(-kMaxMvMagnitude, kMaxMvMagnitude));
  };
  MacroblockInfo info;
  info.reference = kLastFrame;
  info.y_mode = SPLITMV;
  info.partitioning = k4x4;
  info.split_modes.fill(NEW4X4);
  for (MotionVector& mv : info.mvs) mv = {component(best.row), component(best.col)};
  return info;
}

MacroblockInfo unmoved() {
  MacroblockInfo info;
  info.reference = kLastFrame;
  info.y_mode = ZEROMV;
  return info;
}

// Codes a single coefficient, or none.
void add_tokens(bool has_y2, bool any, TokenContext& above, TokenContext& left,
                DecisionCounts& counts, std::vector<Token>& row) {
  MacroblockCoefficients coefficients{};
  coefficients.clear_tokens(has_y2);
  if (any) coefficients.values[16][0] = coefficients.ends[16] = 1;
  for_each_block(has_y2, above, left, [&](BlockType type, int block, int first, int context) {
    const int end = coefficients.ends[block];
    Token tokens[kMaxTokensPerBlock];
    const Token* const last = tokenize_block(coefficients.values[block], end, type, first, context,
                                             tokens, [&](Token token) { counts.add(token); });
    row.insert(row.end(), static_cast<const Token*>(tokens), last);
    return end > first;
  });
}

// An inter frame whose first `splits` macroblocks have 16 vectors each, and half of those have
// tokens. It has no skip flags; once rebased it has one for each macroblock, and so needs more.
Bytes inter_frame(const State& before, int splits) {
  Random random(5);
  FrameHeader header;
  header.quantizer.y_ac_qi = kMaxQuantizerIndex;
  CodingContext context = before.context;
  MacroblockGrid grid(kRows, kColumns);
  ModeRows modes(kRows);
  TokenRows tokens(kRows);
  DecisionCounts counts;
  std::vector<TokenContext> above(kColumns);
  for (int row = 0; row < kRows; ++row) {
    const auto r = static_cast<std::size_t>(row);
    ModeRecorder recorder(counts, modes[r], header, context.entropy);
    TokenContext left;
    for (int column = 0; column < kColumns; ++column) {
      const MvCandidates suggested =
          mv_candidates_at(grid, row, column, kLastFrame, context.sign_bias);
      MacroblockInfo& info = grid.at(row, column);
      const bool split = row * kColumns + column < splits;
      info = split ? split_at_random(suggested.best, random) : unmoved();
      write_macroblock_header(recorder, header, context, grid, row, column, suggested);
      add_tokens(info.has_y2(), split && random.below(2) == 0,
                 above[static_cast<std::size_t>(column)], left, counts, tokens[r]);
    }
  }
  choose_probabilities(header, context, counts);
  return serialize_frame(header, before.context, context, modes, tokens);
}

// The largest such frame that VP8 holds.
Bytes fullest_frame(const State& before) {
  Bytes fullest;
  for (int low = 0, high = kRows * kColumns; low + 1 < high;) {
    const int middle = (low + high) / 2;
    try {
      fullest = inter_frame(before, middle);
      low = middle;
    } catch (const CodecError&) {
      high = middle;
    }
  }
  return fullest;
}

std::string error_of(const SharedState& before, const std::vector<FrameToRebase>& chunk,
                     int threads) {
  ThreadTeam team(threads);
  try {
    rebase_chunk(before, chunk, {}, team);
  } catch (const CodecError& error) {
    CHECK(error.status() == Status::kInvalidArgument);
    return error.what();
  }
  return "none";
}

}  // namespace

int main() {
  const std::string too_large = "the modes of this frame need more than a VP8 frame can hold";
  const SharedRaster source = flat_raster(100);
  const SharedState state = state_of(source);
  const SharedState other = state_of(flat_raster(101));
  const Basis basis = basis_of(*state);
  const Basis other_basis = basis_of(*other);

  const Bytes full = fullest_frame(*state);
  const Bytes small = inter_frame(*state, 0);
  const Bytes small_for_other = inter_frame(*other, 0);
  ThreadTeam alone(1);
  const SharedState after_full = advance(state, std::vector<FrameBytes>{full}, alone);
  const Basis after_full_basis = basis_of(*after_full);
  const Bytes small_after_full = inter_frame(*after_full, 0);

  const FrameToRebase growing{source, full, &basis};
  const FrameToRebase carried_over{source, small_after_full, &after_full_basis};
  const FrameToRebase decided_again{source, small_for_other, &other_basis};
  const FrameToRebase first{source, small, &basis};
  CHECK(error_of(state, {growing}, 1) == too_large);
  for (const int threads : {1, 3}) {
    CHECK(error_of(state, {growing, carried_over}, threads) == "frame 1 of 2: " + too_large);
    CHECK(error_of(state, {growing, decided_again, first}, threads) ==
          "frame 1 of 3: " + too_large);
    CHECK(error_of(state, {first, growing}, threads) == "frame 2 of 2: " + too_large);
    CHECK(error_of(state, {first, decided_again}, threads) == "none");
  }
  return 0;
}

// The decoder reads back what the encoder wrote: booleans, trees, vectors and tokens.
#include <cstring>
#include <iterator>
#include <vector>

#include "bitstream/bool_decoder.h"
#include "bitstream/bool_encoder.h"
#include "bitstream/motion_vectors.h"
#include "bitstream/tokens.h"
#include "bitstream/trees.h"
#include "check.h"
#include "common/tables.h"

namespace {

using namespace vp8;

struct Written {
  bool bit;
  Probability probability;
};

void check_round_trip(const std::vector<Written>& bits) {
  BoolEncoder encoder;
  for (const Written& one : bits) encoder.write(one.bit, one.probability);
  const std::vector<std::uint8_t> bytes = encoder.finish();
  BoolDecoder decoder(bytes.data(), bytes.size());
  for (const Written& one : bits) CHECK(decoder.read(one.probability) == one.bit);
  CHECK(!decoder.overran());
}

void booleans_of_any_probability() {
  Random random(1);
  for (int round = 0; round < 400; ++round) {
    std::vector<Written> bits;
    const int bias = random.between(1, 255);
    for (int i = random.below(3000); i >= 0; --i) {
      const auto probability = static_cast<Probability>(random.between(1, 255));
      bits.push_back({random.below(256) >= bias, probability});
    }
    check_round_trip(bits);
  }
}

// Improbable ones make bytes of 255, through which a carry has to run.
void long_carries() {
  for (int length : {1, 7, 8, 9, 100, 5000}) {
    for (int probability : {1, 2, 127, 128, 129, 254, 255}) {
      std::vector<Written> bits(length, {true, static_cast<Probability>(probability)});
      check_round_trip(bits);
      bits.push_back({false, static_cast<Probability>(256 - probability)});
      check_round_trip(bits);
    }
  }
}

void literals() {
  BoolEncoder encoder;
  for (int value = -127; value <= 127; ++value) {
    encoder.write_literal(value + 127, 8);
    encoder.write_signed(value, 7);
    encoder.write_optional_signed(value, 7);
  }
  const auto bytes = encoder.finish();
  BoolDecoder decoder(bytes.data(), bytes.size());
  for (int value = -127; value <= 127; ++value) {
    CHECK(decoder.read_literal(8) == value + 127);
    CHECK(decoder.read_signed(7) == value);
    CHECK(decoder.read_optional_signed(7) == value);
  }
}

void reading_past_the_end_is_noticed() {
  BoolDecoder empty(nullptr, 0);
  empty.read_flag();
  CHECK(empty.overran());
  const std::uint8_t bytes[16] = {0x5a, 0x17, 0xff, 0x00, 0x80};
  for (std::size_t size = 1; size <= sizeof bytes; ++size) {
    BoolDecoder decoder(bytes, size);
    for (int i = 0; i < 400; ++i) decoder.read_flag();
    CHECK(decoder.overran());
  }
}

void vectors_of_every_length() {
  MvProbabilities probabilities;
  Random random(2);
  for (auto& component : probabilities) {
    for (auto& p : component) p = static_cast<Probability>(random.between(1, 255));
  }
  BoolEncoder encoder;
  for (int i = -kMaxMvMagnitude; i <= kMaxMvMagnitude; ++i) {
    const MotionVector mv{static_cast<std::int16_t>(i), static_cast<std::int16_t>(-i / 3)};
    write_motion_vector(encoder, mv, probabilities);
  }
  const auto bytes = encoder.finish();
  BoolDecoder decoder(bytes.data(), bytes.size());
  for (int i = -kMaxMvMagnitude; i <= kMaxMvMagnitude; ++i) {
    const MotionVector mv = read_motion_vector(decoder, probabilities);
    CHECK(mv.row == i && mv.col == -i / 3);
  }
}

void tokens_of_every_category() {
  Random random(3);
  CoefficientProbabilities probabilities;
  for (auto& type : probabilities) {
    for (auto& band : type) {
      for (auto& context : band) {
        for (auto& p : context) p = static_cast<Probability>(random.between(1, 255));
      }
    }
  }
  constexpr int kLimits[] = {1, 2, 4, 6, 10, 18, 34, 66, 2048};
  TokenContext above;
  TokenContext left;
  for (int round = 0; round < 400; ++round) {
    const bool has_y2 = random.below(2) == 0;
    const int density = random.below(4);
    MacroblockCoefficients written{};
    BoolEncoder encoder;
    TokenContext above_written = above;
    TokenContext left_written = left;
    for_each_block(
        has_y2, above_written, left_written,
        [&](BlockType type, int block, int first, int context) {
          const int coded = random.below(4) < density ? random.between(0, 16 - first) : 0;
          int end = first;
          for (int i = first; i < first + coded; ++i) {
            const int limit = kLimits[random.below(9)];
            const int value = random.below(3) == 0 ? 0 : random.between(-limit, limit);
            written.values[block][kZigzag[i]] = static_cast<std::int16_t>(value);
            if (value != 0) end = i + 1;
          }
          written.ends[block] = static_cast<std::uint8_t>(end);
          Token tokens[kMaxTokensPerBlock];
          const Token* const last = tokenize_block(written.values[block], end, type, first, context,
                                                   tokens, [](vp8::Token) {});
          for (const Token* token = tokens; token != last; ++token) {
            write_token(encoder, *token, &probabilities[0][0][0][0] + 11 * token->place());
          }
          return end > first;
        });
    const auto bytes = encoder.finish();
    BoolDecoder decoder(bytes.data(), bytes.size());
    MacroblockCoefficients read{};
    read_macroblock_tokens(decoder, TokenProbabilities(probabilities), has_y2, above, left, read);
    CHECK(!decoder.overran());
    CHECK(std::memcmp(read.values, written.values, sizeof read.values) == 0);
    CHECK(std::memcmp(read.ends, written.ends, sizeof read.ends) == 0);
    CHECK(std::memcmp(&above, &above_written, sizeof above) == 0);
    CHECK(std::memcmp(&left, &left_written, sizeof left) == 0);
  }
}

template <const auto& kTree>
void check_tree() {
  Random random(4);
  Probability probabilities[std::size(kTree.entries) / 2];
  for (auto& p : probabilities) p = static_cast<Probability>(random.between(1, 255));
  for (int leaf = 0; leaf < kTree.kLeaves; ++leaf) {
    BoolEncoder encoder;
    write_tree(encoder, kTree, probabilities, leaf);
    const auto bytes = encoder.finish();
    BoolDecoder decoder(bytes.data(), bytes.size());
    CHECK(read_tree<kTree>(decoder, probabilities) == leaf);
  }
}

void leaves_of_every_tree() {
  check_tree<kYModeTree>();
  check_tree<kKeyFrameYModeTree>();
  check_tree<kUvModeTree>();
  check_tree<kSubblockModeTree>();
  check_tree<kSegmentTree>();
  check_tree<kInterModeTree>();
  check_tree<kSplitPartitioningTree>();
  check_tree<kSplitMvModeTree>();
  check_tree<kShortMvTree>();
}

}  // namespace

int main() {
  booleans_of_any_probability();
  long_carries();
  literals();
  reading_past_the_end_is_noticed();
  vectors_of_every_length();
  tokens_of_every_category();
  leaves_of_every_tree();
  return 0;
}

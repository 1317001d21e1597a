// Every kernel at every level computes the same bytes as the plain one and touches nothing else.
//
//   kernels_test                    checks
//   kernels_test --bench [filter]   times the entries whose name contains the filter
#include "kernels/kernels.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "kernels_bench.h"
#include "kernels_compare.h"
#include "kernels_loop_filters.h"
#include "picture/quantization.h"

namespace {

using namespace vp8;

constexpr int kSizes[] = {4, 8, 16};
constexpr int kBlocks[] = {1, 2, 4};

// ---- inter prediction ----

void check_interpolation(const Kernels& tested, Random& random) {
  for (int round = 0; round < 36; ++round) {
    const int index = round % 3;
    const int height = kSizes[round / 3 % 3];
    const Fill fill = kFills[round / 9];
    for (int mx = 0; mx < 8; ++mx) {
      for (int my = 0; my < 8; ++my) {
        const Margins taps{mx ? 2 : 0, my ? 2 : 0, mx ? 3 : 0, my ? 3 : 0};
        const Margins one{0, 0, mx ? 1 : 0, my ? 1 : 0};
        Area for_sixtap(random, kSizes[index], height, taps, fill);
        Area for_bilinear(random, kSizes[index], height, one, fill);
        const Area target(random, kSizes[index], height, kGuards, Fill::kNoise);
        if (mx == 0 && my == 0) {
          compare("copy", tested, target, [&](const Kernels& k, Area& area) {
            k.copy[index](for_sixtap.block(), for_sixtap.stride(), area.block(), area.stride(),
                          height);
          });
          continue;
        }
        compare("sixtap", tested, target, [&](const Kernels& k, Area& area) {
          k.sixtap[index](for_sixtap.block(), for_sixtap.stride(), area.block(), area.stride(),
                          height, mx, my);
        });
        compare("bilinear", tested, target, [&](const Kernels& k, Area& area) {
          k.bilinear[index](for_bilinear.block(), for_bilinear.stride(), area.block(),
                            area.stride(), height, mx, my);
        });
      }
    }
  }
}

// Every filter's taps sum to one: a flat area stays flat.
void check_flat_areas(const Kernels& tested) {
  const char* what = "interpolation of a flat area";
  for (int value : {0, 1, 127, 254, 255}) {
    const std::vector<std::uint8_t> flat(80 * 80, static_cast<std::uint8_t>(value));
    for (int i = 1; i < 64; ++i) {
      for (const auto& filters : {tested.sixtap, tested.bilinear}) {
        std::uint8_t target[16 * 16] = {};
        filters[2](flat.data() + 80 * 30 + 30, 80, target, 16, 16, i & 7, i >> 3);
        for (const auto pixel : target) CHECK_LEVEL(pixel == value);
      }
    }
  }
}

// ---- transforms ----

using Values = std::vector<std::int16_t>;

Values random_values(Random& random, int count, int range) {
  Values values(static_cast<std::size_t>(count));
  const int rarity = 1 + random.below(4);
  for (auto& value : values) {
    if (random.below(rarity) == 0) value = static_cast<std::int16_t>(random.between(-range, range));
    if (range == 32768 && random.below(4) == 0) value = random.below(2) ? 32767 : -32768;
  }
  return values;
}

constexpr int kRanges[] = {1, 3, 40, 2048, 32768};

void check_inverse_transforms(const Kernels& tested, Random& random) {
  for (int round = 0; round < 6000; ++round) {
    const int index = round % 3;
    const int blocks = kBlocks[index];
    const int range = kRanges[round / 3 % 5];
    const int limit = random.below(8) == 0 ? 32767 : 440;
    const int dc_step = random.between(1, limit);
    const int ac_step = random.between(1, limit);
    const Values values = random_values(random, 16 * blocks, range);
    const Area pixels(random, 4 * blocks, 4, kGuards, kFills[random.below(4)]);
    compare("dequantize_inverse_dct_add", tested, pixels, [&](const Kernels& k, Area& area) {
      k.dequantize_inverse_dct_add[index](values.data(), dc_step, ac_step, area.block(),
                                          area.stride());
    });
    const Values dcs = random_values(random, blocks, range);
    compare("inverse_dct_dc_add", tested, pixels, [&](const Kernels& k, Area& area) {
      k.inverse_dct_dc_add[index](dcs.data(), area.block(), area.stride());
    });
    const char* what = "dequantize_inverse_walsh";
    Values expected(16);
    Values given(16);
    kernels_at(SimdLevel::kReference)
        .dequantize_inverse_walsh(values.data(), dc_step, ac_step, expected.data());
    tested.dequantize_inverse_walsh(values.data(), dc_step, ac_step, given.data());
    CHECK_LEVEL(given == expected);
  }
}

void check_forward_transforms(const Kernels& tested, Random& random) {
  const Kernels& plain = kernels_at(SimdLevel::kReference);
  for (int round = 0; round < 3000; ++round) {
    const int index = round % 3;
    const int size = kSizes[index];
    const Fill fill = kFills[round / 3 % 4];
    Area source(random, size, size, {}, fill);
    Area prediction(random, size, size, {}, fill);
    Values expected(static_cast<std::size_t>(size * size));
    Values given(expected.size());
    const char* what = "forward_dct";
    const auto run = [&](const Kernels& k, Values& out) {
      k.forward_dct[index](source.block(), source.stride(), prediction.block(), prediction.stride(),
                           out.data());
    };
    run(plain, expected);
    run(tested, given);
    CHECK_LEVEL(given == expected);

    what = "forward_walsh";
    Values blocks = random_values(random, 16 * 16, 1 << random.between(1, 10));
    if (random.below(4) == 0) {
      const int sign = random.below(2) ? 1 : -1;
      for (auto& value : blocks) {
        value = static_cast<std::int16_t>(sign * (random.below(8) ? 2040 : -2040));
      }
    }
    expected.resize(16);
    given.resize(16);
    plain.forward_walsh(blocks.data(), expected.data());
    tested.forward_walsh(blocks.data(), given.data());
    CHECK_LEVEL(given == expected);
  }
}

void check_quantize(const Kernels& tested, Random& random) {
  const char* what = "quantize";
  for (int round = 0; round < 4000; ++round) {
    const int count = random.between(1, 16);
    const int steps[2] = {random.between(2, 440), random.between(2, 440)};
    const int rounding[2] = {random.below(steps[0]), random.below(steps[1])};
    Quantizer quantizer = make_quantizer(steps, rounding);
    if (random.below(8) == 0) {
      for (int i = 0; i < 2; ++i) {
        quantizer.rounding[i] = static_cast<std::uint16_t>(random.below(65536));
        quantizer.reciprocal[i] = static_cast<std::uint16_t>(random.below(65536));
      }
    }
    Values blocks = random_values(random, 16 * count, kRanges[round % 5]);
    if (round % 5 == 2) {  // a single one, at each place
      blocks.assign(blocks.size(), 0);
      blocks[static_cast<std::size_t>(random.below(16 * count))] = -2000;
    }
    const auto run = [&](const Kernels& k, Values& values) {
      std::array<std::uint16_t, 17> bits{};
      bits[16] = static_cast<std::uint16_t>(
          k.quantize(blocks.data(), count, quantizer, values.data(), bits.data()));
      return bits;
    };
    Values expected(blocks.size());
    Values given(blocks.size());
    const auto expected_bits = run(kernels_at(SimdLevel::kReference), expected);
    const auto given_bits = run(tested, given);
    CHECK_LEVEL(given_bits[16] == expected_bits[16]);
    if (expected_bits[16] != 0) CHECK_LEVEL(given_bits == expected_bits && given == expected);
  }
}

// The decoder's transforms undo the encoder's.
void check_transforms_undo_each_other(const Kernels& tested, Random& random) {
  const char* what = "transforms there and back";
  for (int round = 0; round < 2000; ++round) {
    const int range = 1 << random.between(1, 8);
    std::uint8_t source[16];
    std::uint8_t prediction[16];
    for (int i = 0; i < 16; ++i) {
      prediction[i] = static_cast<std::uint8_t>(random.below(256));
      const int wanted = prediction[i] + random.between(-range, range);
      source[i] = static_cast<std::uint8_t>(std::clamp(wanted, 0, 255));
    }
    std::int16_t block[16];
    tested.forward_dct[0](source, 4, prediction, 4, block);
    std::uint8_t pixels[16];
    std::memcpy(pixels, prediction, sizeof pixels);
    tested.dequantize_inverse_dct_add[0](block, 1, 1, pixels, 4);
    for (int i = 0; i < 16; ++i) CHECK_LEVEL(std::abs(pixels[i] - source[i]) <= 2);

    std::int16_t blocks[16][16];
    for (auto& each : blocks) each[0] = static_cast<std::int16_t>(random.between(-2000, 2000));
    std::int16_t transformed[16];
    tested.forward_walsh(blocks[0], transformed);
    std::int16_t again[16];
    tested.dequantize_inverse_walsh(transformed, 1, 1, again);
    for (int i = 0; i < 16; ++i) CHECK_LEVEL(std::abs(again[i] - blocks[i][0]) <= 2);

    // A block with only a DC may take the short path.
    const std::int16_t only_dc[16] = {static_cast<std::int16_t>(random.between(-32768, 32767))};
    std::uint8_t short_way[16];
    std::memcpy(short_way, pixels, sizeof pixels);
    tested.dequantize_inverse_dct_add[0](only_dc, 1, 1, pixels, 4);
    tested.inverse_dct_dc_add[0](only_dc, short_way, 4);
    CHECK_LEVEL(std::memcmp(pixels, short_way, sizeof pixels) == 0);
  }
}

// ---- differences ----

void check_distortion(const Kernels& tested, Random& random) {
  const Kernels& plain = kernels_at(SimdLevel::kReference);
  for (int round = 0; round < 1200; ++round) {
    const int index = round % 3;
    const int size = kSizes[index];
    const Fill fill = kFills[round / 3 % 4];
    Area a(random, size, size, {}, fill);
    Area b(random, size, size, {2, 1, 0, 2}, fill);
    const auto same = [&](const char* what, auto entry) {
      const auto of = [&](const Kernels& k) {
        return (k.*entry)[index](a.block(), a.stride(), b.block(), b.stride());
      };
      CHECK_LEVEL(of(tested) == of(plain));
    };
    same("sad", &Kernels::sad);
    same("sse", &Kernels::sse);
    same("satd", &Kernels::satd);

    const char* what = "sad_many";
    std::vector<const std::uint8_t*> blocks;
    for (int i = random.below(9); i >= 0; --i) blocks.push_back(b.at(-i % 3, i / 3 - 1));
    std::vector<int> sads(blocks.size());
    tested.sad_many[index](a.block(), a.stride(), blocks.data(), b.stride(),
                           static_cast<int>(blocks.size()), sads.data());
    for (std::size_t i = 0; i < sads.size(); ++i) {
      CHECK_LEVEL(sads[i] == plain.sad[index](a.block(), a.stride(), blocks[i], b.stride()));
    }

    what = "satd_many";
    Area source(random, 4, 4, {}, fill);
    const int count = random.between(1, 12);
    std::vector<std::array<std::uint8_t, 16>> predictions(static_cast<std::size_t>(count));
    for (auto& each : predictions) {
      for (auto& pixel : each) {
        pixel = static_cast<std::uint8_t>(fill == Fill::kExtremes ? 255 * random.below(2)
                                                                  : random.below(256));
      }
    }
    std::vector<int> satds(predictions.size());
    tested.satd_many(source.block(), source.stride(),
                     reinterpret_cast<const std::uint8_t (*)[16]>(predictions.data()), count,
                     satds.data());
    for (std::size_t i = 0; i < satds.size(); ++i) {
      CHECK_LEVEL(satds[i] ==
                  plain.satd[0](source.block(), source.stride(), predictions[i].data(), 4));
    }

    what = "sum_and_squares";
    Area pixels(random, 16, 16, {}, fill);
    std::uint32_t expected[2];
    std::uint32_t given[2];
    plain.sum_and_squares(pixels.block(), pixels.stride(), &expected[0], &expected[1]);
    tested.sum_and_squares(pixels.block(), pixels.stride(), &given[0], &given[1]);
    CHECK_LEVEL(given[0] == expected[0] && given[1] == expected[1]);
  }
}

// ---- weighted sums ----

void check_weighting(const Kernels& tested, Random& random) {
  const char* what = "add_alike";
  const Kernels& plain = kernels_at(SimdLevel::kReference);
  for (int round = 0; round < 1200; ++round) {
    const int index = round % 2;
    const int size = kSizes[index + 1];
    Area own(random, size, size, {}, kFills[round / 2 % 4]);
    Area other(random, size, size, {2, 1, 0, 2}, Fill::kNoise);
    // Differences around those that count at all.
    const int range = random.below(2) ? 2 : 40;
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const int pixel = *own.at(x, y) + random.between(-range, range);
        if (random.below(8)) *other.at(x, y) = static_cast<std::uint8_t>(std::clamp(pixel, 0, 255));
      }
    }
    std::uint8_t weights[32];
    for (auto& weight : weights) weight = static_cast<std::uint8_t>(random.below(128));
    WeightedSums expected = {};
    for (int i = 0; i < size * size; ++i) {
      expected.pixels[i] = static_cast<std::uint16_t>(random.below(65536 - 127 * 255));
      expected.weights[i] = static_cast<std::uint8_t>(random.below(129));
    }
    WeightedSums given = expected;
    plain.add_alike[index](own.block(), own.stride(), other.block(), other.stride(), weights,
                           expected);
    tested.add_alike[index](own.block(), own.stride(), other.block(), other.stride(), weights,
                            given);
    CHECK_LEVEL(std::memcmp(&given, &expected, sizeof given) == 0);
  }
}

// ---- intra prediction ----

void check_intra(const Kernels& tested, Random& random) {
  for (int round = 0; round < 400; ++round) {
    const int index = round % 2;
    const int size = kSizes[index + 1];
    const Fill fill = kFills[round / 2 % 4];
    const bool tight = random.below(2) != 0;
    const Area area(random, size, size, tight ? Margins{1, 1, 0, 0} : kGuards, fill);
    const auto same = [&](const char* what, auto entry) {
      compare(what, tested, area, [&](const Kernels& k, Area& copy) {
        (k.*entry)[index](copy.block(), copy.stride());
      });
    };
    same("predict_vertical", &Kernels::predict_vertical);
    same("predict_horizontal", &Kernels::predict_horizontal);
    same("predict_true_motion", &Kernels::predict_true_motion);
    for (int sides = 0; sides < 4; ++sides) {
      const bool above = (sides & 1) != 0;
      const bool left = (sides & 2) != 0;
      const Area inside(random, size, size, tight ? Margins{left, above, 0, 0} : kGuards, fill);
      compare("predict_dc", tested, inside, [&](const Kernels& k, Area& copy) {
        k.predict_dc[index](copy.block(), copy.stride(), above, left);
      });
    }
  }
}

void check_subblocks(const Kernels& tested, Random& random) {
  for (int round = 0; round < 1000; ++round) {
    Area edge(random, 16, 1, {}, kFills[round % 4]);
    const Area pixels(random, 4, 4, kGuards, Fill::kNoise);
    std::uint8_t predictions[kSubblockModes][16];
    tested.predict_all_subblocks(edge.block(), predictions);
    for (int mode = 0; mode < kSubblockModes; ++mode) {
      compare("predict_subblock", tested, pixels, [&](const Kernels& k, Area& copy) {
        k.predict_subblock[mode](edge.block(), copy.block(), copy.stride());
      });
      const char* what = "predict_all_subblocks";
      std::uint8_t expected[16];
      kernels_at(SimdLevel::kReference).predict_subblock[mode](edge.block(), expected, 4);
      CHECK_LEVEL(std::memcmp(predictions[mode], expected, 16) == 0);
    }
  }
}

void check_level(SimdLevel level) {
  level_name = simd_level_name(level);
  const Kernels& tested = kernels_at(level);
  Random random(1);
  check_interpolation(tested, random);
  check_flat_areas(tested);
  check_inverse_transforms(tested, random);
  check_forward_transforms(tested, random);
  check_quantize(tested, random);
  check_transforms_undo_each_other(tested, random);
  check_distortion(tested, random);
  check_weighting(tested, random);
  check_intra(tested, random);
  check_subblocks(tested, random);
  check_loop_filters(tested, random);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--bench") == 0) {
    run_benchmarks(argc > 2 ? argv[2] : "");
    return 0;
  }
  for (const SimdLevel level : available_levels()) check_level(level);
  return 0;
}

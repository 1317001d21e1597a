// Times of the kernels, level by level.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "check.h"
#include "kernels/kernels.h"

struct Benchmark {
  std::string name;
  std::function<void(const vp8::Kernels&)> run;
};

// Pixels and values that the benchmarks work on; within the first-level cache, like a macroblock
// that was just predicted.
struct BenchmarkData {
  static constexpr std::ptrdiff_t kStride = 96;
  std::vector<std::uint8_t> a = std::vector<std::uint8_t>(kStride * 48);
  std::vector<std::uint8_t> b = std::vector<std::uint8_t>(kStride * 48);
  alignas(32) std::int16_t values[256] = {};
  alignas(32) std::int16_t results[256] = {};
  std::uint16_t bits[16] = {};
  std::uint8_t predictions[vp8::kSubblockModes][16] = {};
  int satds[vp8::kSubblockModes] = {};
  std::uint32_t sums[2] = {};
  std::uint8_t weights[32] = {};  // so that no sum grows
  vp8::WeightedSums weighted = {};
  std::vector<std::uint8_t> untouched;  // on which no filter passes its limits
  int kept = 0;                         // so that nothing is optimised away

  BenchmarkData() {
    Random random(3);
    for (auto& pixel : a) pixel = static_cast<std::uint8_t>(100 + random.below(10));
    for (auto& pixel : b) pixel = static_cast<std::uint8_t>(100 + random.below(10));
    for (auto& value : values) value = static_cast<std::int16_t>(random.between(-9, 9));
    for (auto& each : predictions) std::memcpy(each, a.data(), sizeof each);
    untouched = b;
  }
  std::uint8_t* source() { return a.data() + 12 * kStride + 24; }
  std::uint8_t* unfiltered() { return untouched.data() + 12 * kStride + 32; }
  std::uint8_t* target() { return b.data() + 12 * kStride + 32; }
};

inline std::vector<Benchmark> benchmarks(BenchmarkData& d) {
  using namespace vp8;
  constexpr std::ptrdiff_t kStride = BenchmarkData::kStride;
  std::vector<Benchmark> list;
  const auto add = [&](const std::string& name, std::function<void(const Kernels&)> run) {
    list.push_back({name, std::move(run)});
  };
  for (int i = 0; i < 3; ++i) {
    const int size = 4 << i;
    const std::string of = std::to_string(size) + "x" + std::to_string(size);
    for (const auto& [mx, my] : {std::pair{2, 0}, {0, 2}, {2, 2}, {3, 3}}) {
      add("sixtap " + of + " " + std::to_string(mx) + "," + std::to_string(my),
          [&d, i, size, mx = mx, my = my](const Kernels& k) {
            k.sixtap[i](d.source(), kStride, d.target(), kStride, size, mx, my);
          });
    }
    add("bilinear " + of + " 2,2", [&d, i, size](const Kernels& k) {
      k.bilinear[i](d.source(), kStride, d.target(), kStride, size, 2, 2);
    });
    add("copy " + of, [&d, i, size](const Kernels& k) {
      k.copy[i](d.source(), kStride, d.target(), kStride, size);
    });
  }
  for (int i = 0; i < 3; ++i) {
    const std::string of = std::to_string(1 << i);
    add("dequantize_inverse_dct_add " + of, [&d, i](const Kernels& k) {
      k.dequantize_inverse_dct_add[i](d.values, 8, 9, d.target(), kStride);
    });
    add("inverse_dct_dc_add " + of,
        [&d, i](const Kernels& k) { k.inverse_dct_dc_add[i](d.values, d.target(), kStride); });
    add("forward_dct " + std::to_string(4 << i), [&d, i](const Kernels& k) {
      k.forward_dct[i](d.source(), kStride, d.target(), kStride, d.results);
    });
  }
  add("dequantize_inverse_walsh",
      [&d](const Kernels& k) { k.dequantize_inverse_walsh(d.values, 8, 9, d.results); });
  add("forward_walsh", [&d](const Kernels& k) { k.forward_walsh(d.values, d.results); });
  for (const int count : {1, 4, 16}) {
    add("quantize " + std::to_string(count), [&d, count](const Kernels& k) {
      const Quantizer quantizer{{8, 9}, {4, 4}, {8192, 7282}};
      d.kept += k.quantize(d.values, count, quantizer, d.results, d.bits);
    });
  }
  for (int i = 0; i < 3; ++i) {
    const std::string size = std::to_string(4 << i);
    for (const auto& [name, entry] :
         {std::pair{"sad ", &Kernels::sad}, {"sse ", &Kernels::sse}, {"satd ", &Kernels::satd}}) {
      add(name + size, [&d, i, entry = entry](const Kernels& k) {
        d.kept += (k.*entry)[i](d.source(), kStride, d.target(), kStride);
      });
    }
  }
  for (int i = 0; i < 3; ++i) {
    add("sad_many 8 " + std::to_string(4 << i), [&d, i](const Kernels& k) {
      const std::uint8_t* others[8];
      for (int j = 0; j < 8; ++j) others[j] = d.target() + j;
      k.sad_many[i](d.source(), kStride, others, kStride, 8, d.satds);
    });
  }
  add("satd_many 10", [&d](const Kernels& k) {
    k.satd_many(d.source(), kStride, d.predictions, kSubblockModes, d.satds);
  });
  add("sum_and_squares",
      [&d](const Kernels& k) { k.sum_and_squares(d.source(), kStride, &d.sums[0], &d.sums[1]); });
  for (int i = 0; i < 2; ++i) {
    const std::string size = std::to_string(8 << i);
    add("add_alike " + size, [&d, i](const Kernels& k) {
      k.add_alike[i](d.source(), kStride, d.target(), kStride, d.weights, d.weighted);
    });
    add("predict_vertical " + size,
        [&d, i](const Kernels& k) { k.predict_vertical[i](d.target(), kStride); });
    add("predict_horizontal " + size,
        [&d, i](const Kernels& k) { k.predict_horizontal[i](d.target(), kStride); });
    add("predict_true_motion " + size,
        [&d, i](const Kernels& k) { k.predict_true_motion[i](d.target(), kStride); });
    add("predict_dc " + size,
        [&d, i](const Kernels& k) { k.predict_dc[i](d.target(), kStride, true, true); });
  }
  for (int mode = 0; mode < kSubblockModes; ++mode) {
    add("predict_subblock " + std::to_string(mode), [&d, mode](const Kernels& k) {
      k.predict_subblock[mode](d.source(), d.target(), kStride);
    });
  }
  add("predict_all_subblocks",
      [&d](const Kernels& k) { k.predict_all_subblocks(d.source(), d.predictions); });
  // Limits that let most positions pass, and none.
  for (const bool passes : {true, false}) {
    const char* how = passes ? "" : " (none passes)";
    const EdgeLimits limits = passes ? EdgeLimits{60, 20, 1} : EdgeLimits{0, 0, 0};
    std::uint8_t* luma = passes ? d.target() : d.unfiltered();
    std::uint8_t* chroma = passes ? d.source() : d.unfiltered() + 16;
    for (const auto& [name, entry] :
         {std::pair{"macroblock_edge_columns", &Kernels::macroblock_edge_columns},
          {"macroblock_edge_rows", &Kernels::macroblock_edge_rows},
          {"inner_edges_columns", &Kernels::inner_edges_columns},
          {"inner_edges_rows", &Kernels::inner_edges_rows},
          {"simple_edge_columns", &Kernels::simple_edge_columns},
          {"simple_edge_rows", &Kernels::simple_edge_rows},
          {"simple_inner_edges_columns", &Kernels::simple_inner_edges_columns},
          {"simple_inner_edges_rows", &Kernels::simple_inner_edges_rows}}) {
      add(std::string(name) + how,
          [=, entry = entry](const Kernels& k) { (k.*entry)(luma, kStride, limits); });
    }
    for (const auto& [name, entry] :
         {std::pair{"macroblock_edge_columns_yuv", &Kernels::macroblock_edge_columns_yuv},
          {"macroblock_edge_rows_yuv", &Kernels::macroblock_edge_rows_yuv},
          {"inner_edges_columns_yuv", &Kernels::inner_edges_columns_yuv},
          {"inner_edges_rows_yuv", &Kernels::inner_edges_rows_yuv}}) {
      add(std::string(name) + how, [=, entry = entry](const Kernels& k) {
        (k.*entry)(luma, kStride, {chroma, chroma + 24, kStride}, limits);
      });
    }
  }
  return list;
}

// Nanoseconds a call: the best of a few runs, since disturbances only add time.
inline double nanoseconds(const Benchmark& benchmark, const vp8::Kernels& kernels) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  int calls = 64;
  for (int run = 0; run < 12;) {
    const auto start = Clock::now();
    for (int i = 0; i < calls; ++i) benchmark.run(kernels);
    const double passed = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    if (passed < 5e5) {
      calls *= 2;
      continue;
    }
    best = passed / calls < best ? passed / calls : best;
    ++run;
  }
  return best;
}

inline void run_benchmarks(const std::string& filter) {
  BenchmarkData data;
  // The time of calling and counting alone.
  const double overhead = nanoseconds({"", [](const vp8::Kernels&) {}}, vp8::kernels());
  std::printf("%-42s", "ns a call (times faster than reference)");
  for (const vp8::SimdLevel level : vp8::available_levels()) {
    std::printf(" %16s", vp8::simd_level_name(level));
  }
  std::printf("\n");
  for (const Benchmark& benchmark : benchmarks(data)) {
    if (benchmark.name.find(filter) == std::string::npos) continue;
    std::printf("%-42s", benchmark.name.c_str());
    double reference = 0;
    for (const vp8::SimdLevel level : vp8::available_levels()) {
      const double time = nanoseconds(benchmark, vp8::kernels_at(level)) - overhead;
      if (level == vp8::SimdLevel::kReference) reference = time;
      std::printf(" %8.1f (%5.1f)", time, reference / time);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}

// Deciding how one macroblock is coded, by rate and distortion.
#pragma once

#include "frame_writer.h"
#include "motion_search.h"

namespace vp8 {

class ModeDecision {
 public:
  explicit ModeDecision(FrameWriter& writer);

  // Decides the next macroblock in raster order and commits it to the writer.
  void decide(int row, int column);

  // The same in a fraction of the time, for a macroblock that was decided before
  // against other references: its old vectors, their nearest neighbours and what
  // surrounds it now are all that is looked at. `coefficients` are the old ones.
  void decide_again(int row, int column, const MacroblockInfo& old,
                    const MacroblockCoefficients& coefficients);

 private:
  // A way to code the macroblock, weighed to the end.
  struct Candidate {
    MacroblockInfo info;
    MacroblockCoefficients coefficients;
    Cost cost;
  };
  // A way to predict it, weighed by Hadamard differences only.
  struct RoughCandidate {
    MacroblockInfo info;
    Cost cost;
  };

  void begin(int row, int column);
  void try_intra();
  void try_subblock_intra(const MacroblockInfo& like);
  void choose_uv_mode(MacroblockInfo& info);
  SubblockMode choose_subblock_mode(int subblock, const MacroblockInfo& info,
                                    const MacroblockPixels& target,
                                    const std::uint8_t* above_right);

  void try_inter();
  void search_whole(ReferenceFrame reference, std::vector<RoughCandidate>& rough);
  void collect_whole(ReferenceFrame reference, const MotionSearch& search,
                     const MvCandidates& near_by, const MotionVector* found,
                     std::vector<RoughCandidate>& rough);
  void evaluate_best(std::vector<RoughCandidate>& rough, std::size_t count);
  void try_inter_again(const MacroblockInfo& old);
  void try_split(const MacroblockInfo& whole);
  void try_split_again(MacroblockInfo info);
  MacroblockInfo search_split(const MacroblockInfo& whole, SplitPartitioning partitioning,
                              const MvCandidates& candidates, Cost& rough_cost);

  // Predicts, codes and weighs `info`; keeps it if it is the best so far.
  void evaluate(const MacroblockInfo& info);
  void keep_if_best(Candidate& candidate, const ResidueCost& residue);
  Rate header_rate(const MacroblockInfo& info);
  ResidueCoder coder() const;
  SearchBlock whole_block() const;
  MotionSearch motion_search(const Plane& plane, MotionVector predicted) const;

  FrameWriter& writer_;
  MvRates mv_rates_;
  bool key_frame_;
  // The macroblock at hand.
  int row_ = 0;
  int column_ = 0;
  int segment_ = 0;
  Lagrangian lagrangian_;
  MacroblockPixels source_{};
  const MacroblockCoefficients* old_coefficients_ = nullptr;
  Candidate best_{};
};

}  // namespace vp8

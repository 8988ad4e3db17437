// Weights as oneDNN wants them: padded, blocked, normalisation folded in; made once for a model and
// shared by every plan over it.
#pragma once

#include <functional>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "layers/forward_onednn.h"

namespace bellows {

/// Thread safe. Memory handed out stays where it is as long as this lives.
class PackedWeights {
 public:
  /// The layout in which the weight of (node, group) lies already, with `dims`; format `any` when
  /// there is none yet. Layouts that only oneDNN knows do not count.
  [[nodiscard]] Desc layout(int node, int group, const Dims& dims) const;

  /// The parameter in the layout `desc`: packed before, or a copy in another layout re-ordered
  /// (which layouts that only oneDNN knows cannot be, nor be made so), or `fill` called on zeroed
  /// plain row-major memory of desc's dimensions and that re-ordered.
  void* get(int node, int group, ParameterRole role, const Desc& desc,
            const std::function<void(float*)>& fill);

  /// Whether `get` would find this one without filling anything.
  [[nodiscard]] bool has(int node, int group, ParameterRole role, const Desc& desc) const;

  /// Bytes held.
  [[nodiscard]] std::size_t bytes() const;

  /// From now on `get` throws Error(kOutOfMemory) rather than hold more, copies in between
  /// included.
  void limit(std::size_t max_bytes);

 private:
  struct Release {
    void operator()(float* memory) const;
  };
  struct Entry {
    Desc desc;
    std::unique_ptr<float, Release> memory;
    std::size_t bytes = 0;
  };
  using Key = std::tuple<int, int, ParameterRole>;

  // `besides`: bytes of what is not among the entries yet.
  [[nodiscard]] Entry allocate(const Desc& desc, std::size_t besides) const;
  // Whether its memory is as `desc` wants it.
  static bool is_same(const Entry& entry, const Desc& desc);
  // Of those whose layout is not opaque; nullptr: there is none.
  static const Entry* first_known(const std::list<Entry>& entries);

  mutable std::mutex mutex_;
  std::map<Key, std::list<Entry>> entries_;
  std::size_t held_ = 0;  // bytes of entries_
  std::size_t max_bytes_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace bellows

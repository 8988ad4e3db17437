#include "engine/packed_weights_onednn.h"

#include <bellows/error.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace bellows {
namespace {

constexpr std::size_t kAlignment = 64;

dnnl::memory::format_tag plain_tag(std::size_t dimensions) {
  using Tag = dnnl::memory::format_tag;
  static constexpr Tag kTags[] = {Tag::undef, Tag::a,     Tag::ab,    Tag::abc,
                                  Tag::abcd,  Tag::abcde, Tag::abcdef};
  return kTags[dimensions];
}

// The same memory seen with other dimensions: a filter with or without a depth of 1.
Desc with_dims(const Desc& desc, const Dims& dims) {
  return dims_of(desc).size() == dims.size() ? desc : desc.reshape(dims);
}

void copy(const Desc& from, void* src, const Desc& to, void* dst) {
  dnnl::memory source(from, cpu_engine(), src);
  dnnl::memory target(to, cpu_engine(), dst);
  dnnl::stream stream(cpu_engine());
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
}

}  // namespace

void PackedWeights::Release::operator()(float* memory) const { std::free(memory); }

PackedWeights::Entry PackedWeights::allocate(const Desc& desc, std::size_t besides) const {
  Entry entry;
  entry.desc = desc;
  entry.bytes = (desc.get_size() + kAlignment - 1) / kAlignment * kAlignment;
  if (held_ + besides > max_bytes_ || entry.bytes > max_bytes_ - held_ - besides) {
    throw Error(ErrorCode::kOutOfMemory,
                "weights take " + std::to_string(held_ + besides + entry.bytes) +
                    " bytes or more as they are computed with, padding included; " +
                    std::to_string(max_bytes_) +
                    " are left for them. Give another max_bytes, load fewer groups, or load with "
                    "single_images and without winograd");
  }
  entry.memory.reset(static_cast<float*>(std::aligned_alloc(kAlignment, entry.bytes)));
  if (entry.memory == nullptr) {
    throw Error(ErrorCode::kOutOfMemory,
                "not enough memory for " + std::to_string(entry.bytes) + " bytes of weights");
  }
  std::memset(entry.memory.get(), 0, entry.bytes);
  return entry;
}

Desc PackedWeights::layout(int node, int group, const Dims& dims) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find({node, group, ParameterRole::kWeight});
  if (found != entries_.end()) {
    if (const Entry* known = first_known(found->second)) return with_dims(known->desc, dims);
  }
  return {dims, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any};
}

const PackedWeights::Entry* PackedWeights::first_known(const std::list<Entry>& entries) {
  const auto known =
      std::ranges::find_if(entries, [](const Entry& entry) { return !is_opaque(entry.desc); });
  return known == entries.end() ? nullptr : &*known;
}

bool PackedWeights::is_same(const Entry& entry, const Desc& desc) {
  const bool comparable = is_opaque(entry.desc) == is_opaque(desc);
  return comparable && with_dims(entry.desc, dims_of(desc)) == desc;
}

void* PackedWeights::get(int node, int group, ParameterRole role, const Desc& desc,
                         const std::function<void(float*)>& fill) {
  const std::lock_guard lock(mutex_);
  std::list<Entry>& entries = entries_[{node, group, role}];
  const Dims dims = dims_of(desc);
  for (const Entry& entry : entries) {
    if (is_same(entry, desc)) return entry.memory.get();
  }
  Entry made = allocate(desc, 0);
  const Entry* known = is_opaque(desc) ? nullptr : first_known(entries);
  if (known != nullptr) {
    copy(with_dims(known->desc, dims), known->memory.get(), desc, made.memory.get());
  } else {
    const Desc plain(dims, dnnl::memory::data_type::f32, plain_tag(dims.size()));
    if (plain == desc) {
      fill(made.memory.get());
    } else {
      const Entry whole = allocate(plain, made.bytes);
      fill(whole.memory.get());
      copy(plain, whole.memory.get(), desc, made.memory.get());
    }
  }
  held_ += made.bytes;
  entries.push_back(std::move(made));
  return entries.back().memory.get();
}

bool PackedWeights::has(int node, int group, ParameterRole role, const Desc& desc) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find({node, group, role});
  if (found == entries_.end()) return false;
  return std::ranges::any_of(found->second,
                             [&](const Entry& entry) { return is_same(entry, desc); });
}

std::size_t PackedWeights::bytes() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

void PackedWeights::limit(std::size_t max_bytes) {
  const std::lock_guard lock(mutex_);
  max_bytes_ = max_bytes;
}

}  // namespace bellows

#include "training/ranks.h"

#include <bellows/error.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#ifdef BELLOWS_MPI
#include <mpi.h>
#endif

namespace bellows {

namespace {

// How many processes a launcher has started with this one; 1 without a launcher. Told by Open MPI's
// and by MPICH's.
int started_together() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    const char* size = std::getenv(name);
    if (size != nullptr) return std::max(1, std::atoi(size));
  }
  return 1;
}

}  // namespace

#ifdef BELLOWS_MPI

namespace {

Ranks::Summing summed;
// Not 0 once this rank has failed.
int exit_code_of_all = 0;
bool some_are_gone = false;

void check(int result, const char* what) {
  if (result == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(result, text, &length);
  throw Error(ErrorCode::kIoError, std::string("another rank cannot be reached (") + what + ": " +
                                       text + "); start all of them anew with --resume");
}

// MPI is started once and ended when the program ends.
struct Mpi {
  Mpi() {
    int provided = 0;
    // The loader's threads call nothing of MPI.
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  }
  ~Mpi() {
    if (exit_code_of_all != 0) MPI_Abort(MPI_COMM_WORLD, exit_code_of_all);
    if (!some_are_gone) MPI_Finalize();
  }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;
};

// Elements that one call of MPI can count.
constexpr std::size_t kMostElements = std::size_t{1} << 30;
constexpr int kTextTag = 7;

template <class Value>
void sum_all(std::span<Value> values, MPI_Datatype type) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t done = 0; done < values.size();) {
    const std::size_t count = std::min(kMostElements, values.size() - done);
    check(MPI_Allreduce(MPI_IN_PLACE, values.data() + done, static_cast<int>(count), type, MPI_SUM,
                        MPI_COMM_WORLD),
          "sum");
    done += count;
  }
  summed.bytes += values.size_bytes();
  summed.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void share_bytes(void* data, std::size_t bytes) {
  auto* at = static_cast<std::uint8_t*>(data);
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t count = std::min(kMostElements, bytes - done);
    check(MPI_Bcast(at + done, static_cast<int>(count), MPI_BYTE, 0, MPI_COMM_WORLD), "share");
    done += count;
  }
}

}  // namespace

bool Ranks::supported() { return true; }

Ranks Ranks::world() {
  // MPI alone would start a daemon for nothing.
  if (started_together() == 1) return {};
  static const Mpi kMpi;
  Ranks ranks;
  check(MPI_Comm_rank(MPI_COMM_WORLD, &ranks.rank_), "rank");
  check(MPI_Comm_size(MPI_COMM_WORLD, &ranks.size_), "size");
  if (ranks.size_ != started_together()) {
    throw Error(
        ErrorCode::kUnsupported,
        std::to_string(started_together()) + " ranks were started, MPI knows " +
            std::to_string(ranks.size_) +
            ": the launcher is of another MPI than this program; start it with the mpirun of "
            "the one that it was built with");
  }
  return ranks;
}

void Ranks::sum(std::span<float> values) const {
  if (!alone()) sum_all(values, MPI_FLOAT);
}
void Ranks::sum(std::span<double> values) const {
  if (!alone()) sum_all(values, MPI_DOUBLE);
}
void Ranks::share(std::span<float> values) const {
  if (!alone()) share_bytes(values.data(), values.size_bytes());
}
void Ranks::share(int& value) const {
  if (!alone()) share_bytes(&value, sizeof value);
}
void Ranks::share(std::string& text) const {
  if (alone()) return;
  std::uint64_t length = text.size();
  share_bytes(&length, sizeof length);
  text.resize(static_cast<std::size_t>(length));
  share_bytes(text.data(), text.size());
}

void Ranks::send(int to, const std::string& text) const {
  check(
      MPI_Send(text.data(), static_cast<int>(text.size()), MPI_BYTE, to, kTextTag, MPI_COMM_WORLD),
      "send");
}

std::optional<Ranks::Message> Ranks::receive() const {
  if (alone()) return std::nullopt;
  int there = 0;
  MPI_Status status;
  check(MPI_Iprobe(MPI_ANY_SOURCE, kTextTag, MPI_COMM_WORLD, &there, &status), "receive");
  if (there == 0) return std::nullopt;
  int length = 0;
  check(MPI_Get_count(&status, MPI_BYTE, &length), "receive");
  Message message{.from = status.MPI_SOURCE,
                  .text = std::string(static_cast<std::size_t>(length), '\0')};
  check(MPI_Recv(message.text.data(), length, MPI_BYTE, message.from, kTextTag, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE),
        "receive");
  return message;
}

Ranks::Summing Ranks::summing() { return summed; }

void Ranks::abandon(int exit_code) const {
  if (!alone()) exit_code_of_all = exit_code;
}

void Ranks::wait_for_nobody() const { some_are_gone = !alone(); }

#else

bool Ranks::supported() { return false; }

Ranks Ranks::world() {
  if (started_together() > 1) {
    throw Error(ErrorCode::kUnsupported,
                "several ranks were started, but this program was built without MPI; install "
                "libopenmpi-dev and build anew, or start it without mpirun");
  }
  return {};
}

void Ranks::sum(std::span<float> /*values*/) const {}
void Ranks::sum(std::span<double> /*values*/) const {}
void Ranks::share(std::span<float> /*values*/) const {}
void Ranks::share(int& /*value*/) const {}
void Ranks::share(std::string& /*text*/) const {}
void Ranks::send(int /*to*/, const std::string& /*text*/) const {}
std::optional<Ranks::Message> Ranks::receive() const { return std::nullopt; }
Ranks::Summing Ranks::summing() { return {}; }
void Ranks::abandon(int /*exit_code*/) const {}
void Ranks::wait_for_nobody() const {}

#endif

}  // namespace bellows

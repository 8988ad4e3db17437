#include "training/ranks.h"

#include <bellows/error.h>

#include <algorithm>
#include <cstdlib>

#ifdef BELLOWS_MPI
#include <mpi.h>
#endif

namespace bellows {

#ifdef BELLOWS_MPI

namespace {

std::uint64_t summed = 0;

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
    int ended = 0;
    MPI_Finalized(&ended);
    if (ended == 0) MPI_Finalize();
  }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;
};

// Elements that one call of MPI can count.
constexpr std::size_t kMostElements = std::size_t{1} << 30;

template <class Value>
void sum_all(std::span<Value> values, MPI_Datatype type) {
  for (std::size_t done = 0; done < values.size();) {
    const std::size_t count = std::min(kMostElements, values.size() - done);
    check(MPI_Allreduce(MPI_IN_PLACE, values.data() + done, static_cast<int>(count), type, MPI_SUM,
                        MPI_COMM_WORLD),
          "sum");
    done += count;
  }
  summed += values.size_bytes();
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
  static const Mpi mpi;
  Ranks ranks;
  check(MPI_Comm_rank(MPI_COMM_WORLD, &ranks.rank_), "rank");
  check(MPI_Comm_size(MPI_COMM_WORLD, &ranks.size_), "size");
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

std::uint64_t Ranks::bytes_summed() { return summed; }

void Ranks::abandon() const {
  if (!alone()) MPI_Abort(MPI_COMM_WORLD, 1);
}

#else

bool Ranks::supported() { return false; }

Ranks Ranks::world() {
  // Told by Open MPI's and by MPICH's starter.
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    const char* size = std::getenv(name);
    if (size != nullptr && std::atoi(size) > 1) {
      throw Error(ErrorCode::kUnsupported,
                  "several ranks were started, but this program was built without MPI; install "
                  "libopenmpi-dev and build anew, or start it without mpirun");
    }
  }
  return {};
}

void Ranks::sum(std::span<float> /*values*/) const {}
void Ranks::sum(std::span<double> /*values*/) const {}
void Ranks::share(std::span<float> /*values*/) const {}
void Ranks::share(int& /*value*/) const {}
void Ranks::share(std::string& /*text*/) const {}
std::uint64_t Ranks::bytes_summed() { return 0; }
void Ranks::abandon() const {}

#endif

}  // namespace bellows

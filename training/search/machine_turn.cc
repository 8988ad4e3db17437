#include "training/search/machine_turn.h"

#include <bellows/error.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace bellows {
namespace {

int opened(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor >= 0) return descriptor;
  throw Error(ErrorCode::kIoError, "cannot open '" + file.string() +
                                       "', by which programs of this "
                                       "machine take turns: " +
                                       std::generic_category().message(errno) +
                                       "; name another folder in TMPDIR");
}

void lock(int descriptor, int how) {
  while (::flock(descriptor, how) != 0 && errno == EINTR) {
  }
}

}  // namespace

std::filesystem::path MachineTurn::default_file() {
  return std::filesystem::temp_directory_path() / ("bellows-turn-" + std::to_string(::getuid()));
}

MachineTurn::MachineTurn(const std::filesystem::path& file)
    : door_(opened(file.string() + ".door")) {
  try {
    room_ = opened(file.string() + ".room");
  } catch (...) {
    ::close(door_);
    throw;
  }
}

MachineTurn::~MachineTurn() {
  ::close(room_);
  ::close(door_);
}

void MachineTurn::work() {
  lock(room_, LOCK_UN);
  lock(door_, LOCK_SH);
  lock(room_, LOCK_SH);
  lock(door_, LOCK_UN);
}

void MachineTurn::measure() {
  lock(room_, LOCK_UN);
  lock(door_, LOCK_EX);
  lock(room_, LOCK_EX);
  lock(door_, LOCK_UN);
}

void MachineTurn::rest() { lock(room_, LOCK_UN); }

}  // namespace bellows

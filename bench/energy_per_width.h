// Time and energy of every shipped network at every width.
#pragma once

namespace bellows::bench {

/// Registers a benchmark for each network of configs/ and each of its widths. What measures is
/// chosen by the environment variable BELLOWS_ENERGY: auto (the default), rapl, hwmon, battery, or
/// a device model by its name or file. Throws Error as reading a configuration does.
void register_energy_per_width();

}  // namespace bellows::bench

// Every kind of layer; for the few places that turn the list of kinds into their classes.
#pragma once

#include "layers/avg_pool.h"
#include "layers/batch_norm.h"
#include "layers/conv.h"
#include "layers/dropout.h"
#include "layers/global_avg_pool.h"
#include "layers/head.h"
#include "layers/linear.h"
#include "layers/max_pool.h"
#include "layers/relu.h"
#include "layers/relu6.h"
#include "layers/residual.h"

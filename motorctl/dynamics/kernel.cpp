// A whole episode of a recurrent controller and its world, forwards and backwards, a block of lanes (elements of the
// batch) at a time. Lanes do not know of each other, so a thread takes its blocks through all steps with everything in its
// cache; the weights' gradients alone are shared, and summed at the end. motorctl.dynamics.compiled puts sizes and the
// functions observe, advance, cell and their pull-backs where it says GENERATED.
//
// What comes in and goes out is (lane, time, row). Inside, a block is (row, LANES), so that a vector holds lanes.

#include <cmath>
#include <cstring>
#include <vector>
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __SSE__
#include <xmmintrin.h>
#endif

// GENERATED sizes

constexpr int LANES = 16, WIDE = 32 / sizeof(real);
typedef real V __attribute__((vector_size(32)));
typedef real Loose __attribute__((vector_size(32), aligned(sizeof(real)), may_alias));

static inline V load(const real *p) { return *(const Loose *)p; }
static inline void store(real *p, V v) { *(Loose *)p = v; }
static inline V all(real x) { return x - V{}; }  // which, unlike x + 0, is x for every x

template <class F> static inline V each(V x, F f) {
    V y;
    for (int i = 0; i < WIDE; i++) y[i] = f(x[i]);
    return y;
}
static inline V vsqrt(V x) { return each(x, [](real a) { return std::sqrt(a); }); }
static inline V vlog(V x) { return each(x, [](real a) { return std::log(a); }); }
static inline V vfloor(V x) { return each(x, [](real a) { return std::floor(a); }); }
static inline V vasin(V x) { return each(x, [](real a) { return std::asin(a); }); }
static inline V vacos(V x) { return each(x, [](real a) { return std::acos(a); }); }
static inline V vatan2(V x, V y) {
    V z;
    for (int i = 0; i < WIDE; i++) z[i] = std::atan2(x[i], y[i]);
    return z;
}
static inline V vmax(V a, V b) { return a < b ? b : a; }
static inline V vmin(V a, V b) { return b < a ? b : a; }
static inline V vabs(V a) { return a < 0 ? -a : a; }
static inline V vsign(V a) { return a > 0 ? all(1) : (a < 0 ? all(-1) : all(0)); }

#ifdef SINGLE  // polynomials of Moshier, "Methods and Programs for Mathematical Functions" (Cephes), Prentice Hall 1989
typedef int I __attribute__((vector_size(32)));
constexpr float ROUND = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number, kept in the low bits
static inline V vexp(V x) {
    x = vmin(vmax(x, all(-87.3f)), all(88.3f));
    V shifted = x * 1.44269504088896341f + ROUND, n = shifted - ROUND;
    V r = x - n * 0.693359375f + n * 2.12194440e-4f;
    V p = ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r
           + 1.6666665459e-1f) * r + 5.0000001201e-1f;
    I power = (((I)shifted - (I)all(ROUND)) + 127) << 23;
    return (p * r * r + r + 1.0f) * (V)power;
}
static inline V quarter(V x, int ahead) {  // sin(x + ahead * pi / 2)
    V shifted = x * 0.636619772367581343f + ROUND, n = shifted - ROUND;
    I turn = ((I)shifted - (I)all(ROUND)) + ahead;
    V r = x - n * 1.5703125f - n * 4.837512969970703125e-4f - n * 7.54978995489188216e-8f, z = r * r;
    V s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
    V c = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - 0.5f * z + 1.0f;
    V y = (turn & 1) != 0 ? c : s;
    return (turn & 2) != 0 ? -y : y;
}
static inline V vsin(V x) { return quarter(x, 0); }
static inline V vcos(V x) { return quarter(x, 1); }
static inline V vtanh(V x) { return 1.0f - 2.0f / (vexp(2.0f * x) + 1.0f); }
static inline V vsigmoid(V x) { return 1.0f / (vexp(-x) + 1.0f); }
#else
static inline V vexp(V x) { return each(x, [](real a) { return std::exp(a); }); }
static inline V vsin(V x) { return each(x, [](real a) { return std::sin(a); }); }
static inline V vcos(V x) { return each(x, [](real a) { return std::cos(a); }); }
static inline V vtanh(V x) { return each(x, [](real a) { return std::tanh(a); }); }
static inline V vsigmoid(V x) { return each(x, [](real a) { return 1 / (1 + std::exp(-a)); }); }
#endif

struct In {  // rows to read, from one lane on
    const real *p;
    long stride;
    V operator[](long row) const { return load(p + row * stride); }
};
struct Out {
    real *p;
    long stride;
    void put(long row, V v) const { store(p + row * stride, v); }
    void add(long row, V v) const { store(p + row * stride, load(p + row * stride) + v); }
};

// GENERATED functions

// ---- matrix products on blocks

template <int ROWS, bool ADD> static inline void product_tile(real *out, const real *w, const real *x, int k, long pitch) {
    V sum[ROWS][2];
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < 2; v++) sum[r][v] = ADD ? load(out + r * LANES + v * WIDE) : V{};
    for (int i = 0; i < k; i++) {
        V a = load(x + i * LANES), b = load(x + i * LANES + WIDE);
        for (int r = 0; r < ROWS; r++) {
            V factor = all(w[r * pitch + i]);
            sum[r][0] += factor * a;
            sum[r][1] += factor * b;
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < 2; v++) store(out + r * LANES + v * WIDE, sum[r][v]);
}

// out (rows, LANES) = or += w (rows, k) x (k, LANES)
template <bool ADD> static void product(real *out, const real *w, const real *x, int rows, int k, long pitch) {
    for (int half = 0; half < LANES; half += 2 * WIDE) {
        int row = 0;
        for (; row + 6 <= rows; row += 6)
            product_tile<6, ADD>(out + row * LANES + half, w + row * pitch, x + half, k, pitch);
        for (; row + 2 <= rows; row += 2)
            product_tile<2, ADD>(out + row * LANES + half, w + row * pitch, x + half, k, pitch);
        for (; row < rows; row++)
            product_tile<1, ADD>(out + row * LANES + half, w + row * pitch, x + half, k, pitch);
    }
}

template <int ROWS, int COLUMNS> static inline void outer_tile(real *out, const real *d, const real *xt, long pitch) {
    V sum[ROWS][COLUMNS];
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++) sum[r][c] = V{};
    for (int lane = 0; lane < LANES; lane++) {
        V x[COLUMNS];
        for (int c = 0; c < COLUMNS; c++) x[c] = load(xt + lane * pitch + c * WIDE);
        for (int r = 0; r < ROWS; r++) {
            V factor = all(d[r * LANES + lane]);
            for (int c = 0; c < COLUMNS; c++) sum[r][c] += factor * x[c];
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++) {
            real *to = out + r * pitch + c * WIDE;
            store(to, load(to) + sum[r][c]);
        }
}

template <int COLUMNS> static void outer_columns(real *out, const real *d, const real *xt, long count, long pitch) {
    long row = 0;
    for (; row + 6 <= count; row += 6)
        outer_tile<6, COLUMNS>(out + row * pitch, d + row * LANES, xt, pitch);
    for (; row < count; row++) outer_tile<1, COLUMNS>(out + row * pitch, d + row * LANES, xt, pitch);
}

// out (count, pitch) += d (count, LANES) xt (LANES, pitch); the pitch is a multiple of WIDE
static void outer(real *out, const real *d, const real *xt, long count, long pitch) {
    long column = 0;
    for (; column + 2 * WIDE <= pitch; column += 2 * WIDE) outer_columns<2>(out + column, d, xt + column, count, pitch);
    for (; column < pitch; column += WIDE) outer_columns<1>(out + column, d, xt + column, count, pitch);
}

static inline int padded(int columns) { return (columns + WIDE - 1) / WIDE * WIDE; }

static void transpose(real *xt, const real *x, int rows) {  // (rows, LANES) to (LANES, padded(rows))
    int pitch = padded(rows);
    for (int row = 0; row < rows; row++)
        for (int lane = 0; lane < LANES; lane++) xt[lane * pitch + row] = x[row * LANES + lane];
}

// ---- lanes outside, `stride` apart, to a block and back. There are `there` lanes of them, the block's last ones may be
// missing: then they are copies of the last that is there, finite where it is, and never given out.

static void take(real *block, const real *outside, int count, long stride, int there) {
    for (int lane = 0; lane < LANES; lane++) {
        const real *from = outside + (lane < there ? lane : there - 1) * stride;
        for (int i = 0; i < count; i++) block[i * LANES + lane] = from[i];
    }
}
static void give(real *outside, const real *block, int count, long stride, int there) {
    for (int lane = 0; lane < there; lane++)
        for (int i = 0; i < count; i++) outside[lane * stride + i] = block[i * LANES + lane];
}
static void add(real *block, const real *outside, int count, long stride, int there) {
    for (int lane = 0; outside && lane < there; lane++)
        for (int i = 0; i < count; i++) block[i * LANES + lane] += outside[lane * stride + i];
}

typedef std::vector<real> Block;
static Block rows(int count) { return Block((size_t)(count > 0 ? count : 1) * LANES); }

// A layer's weights, or their gradients; the read-out has the first and the third.
struct Layer {
    real *in, *hidden, *in_bias, *hidden_bias;
};

struct Trajectory {  // (batch, time, row), each may be missing in gradients
    real *states, *outputs, *commands, *hidden;
};

// All that the way back needs of a control step, in the order of its making: (row, LANES). Records of a block follow each
// other in time, after one that holds the state and the hidden units before.
struct Record {
    real *inputs, *sums, *hidden, *command, *state;
    explicit Record(real *at)
        : inputs(at), sums(inputs + INPUT * LANES), hidden(sums + SUMS * LANES), command(hidden + HIDDEN * LANES),
          state(command + COMMAND * LANES) {}
    static constexpr long size = (long)(INPUT + SUMS + HIDDEN + COMMAND + STATE) * LANES;
};

#ifdef __SSE__
struct NoDenormals {  // they come up in gradients that fade, and cost a hundred times as much
    unsigned before = _mm_getcsr();
    NoDenormals() { _mm_setcsr(before | 0x8040); }
    ~NoDenormals() { _mm_setcsr(before); }
};
#else
struct NoDenormals {};
#endif

// In an LSTM and in Elman's cell the sums of input and hidden units are one; a GRU keeps those of its last gate apart,
// because the reset gate scales the hidden one: rows 0..3w from the input, 0..2w and 3w..4w from the hidden units.
constexpr int FROM_INPUT = APART ? GATES - 1 : GATES;
constexpr int SHARED = APART ? GATES - 2 : GATES;

static void fill(real *sums, const real *bias, int count) {
    for (int i = 0; i < count; i++)
        for (int lane = 0; lane < LANES; lane += WIDE) store(sums + i * LANES + lane, all(bias[i]));
}

struct Biases {  // of the sums of a layer, both of torch's in one where sums are one
    std::vector<std::vector<real>> of;
    explicit Biases(const Layer *layers) : of(LAYERS) {
        for (int l = 0; l < LAYERS; l++) {
            const int w = WIDTHS[l];
            of[l].resize(GATES * w);
            for (int i = 0; i < FROM_INPUT * w; i++) of[l][i] = layers[l].in_bias[i];
            for (int i = 0; i < SHARED * w; i++) of[l][i] += layers[l].hidden_bias[i];
            for (int i = SHARED * w; APART && i < (SHARED + 1) * w; i++) of[l][i + w] = layers[l].hidden_bias[i];
        }
    }
};

static void run_forward(long block, long batch, long time, const Layer *layers, const Biases &biases, const real *state,
                        const real *hidden, const real *inputs, real *records, const Trajectory &to) {
    Block kept = Block(records ? 0 : 2 * Record::size), x = rows(WIDEST), out = rows(OUTPUT);
    const long first = block * LANES, at = first * time;
    const int there = batch - first < LANES ? batch - first : LANES;
    auto record = [&](long t) { return Record(records ? records + (block * (time + 1) + t) * Record::size
                                                      : &kept[(t & 1) * Record::size]); };
    take(record(0).state, state + first * STATE, STATE, STATE, there);
    take(record(0).hidden, hidden + first * HIDDEN, HIDDEN, HIDDEN, there);
    for (long t = 0; t < time; t++) {
        const Record before = record(t), now = record(t + 1);
        const real *s = before.state, *u = now.inputs;
        take(now.inputs, inputs + (at + t) * INPUT, INPUT, time * INPUT, there);
        for (int v = 0; v < LANES; v += WIDE) observe({s + v, LANES}, {u + v, LANES}, {&x[v], LANES});
        const real *from = x.data(), *h = before.hidden;
        real *sums = now.sums, *after = now.hidden;
        for (int l = 0; l < LAYERS; l++) {
            const int w = WIDTHS[l], k = FEATURES[l];
            fill(sums, biases.of[l].data(), GATES * w);
            product<true>(sums, layers[l].in, from, FROM_INPUT * w, k, k);
            product<true>(sums, layers[l].hidden, h, SHARED * w, w, w);
            if (APART)
                product<true>(sums + (GATES - 1) * w * LANES, layers[l].hidden + (long)SHARED * w * w, h, w, w, w);
            const long stride = (long)w * LANES;
            for (long i = 0; i < stride; i += WIDE) cell({sums + i, stride}, {h + i, stride}, {after + i, stride});
            from = after;
            h += MEMORIES * stride;
            after += MEMORIES * stride;
            sums += GATES * stride;
        }
        fill(now.command, layers[LAYERS].in_bias, COMMAND);
        product<true>(now.command, layers[LAYERS].in, from, COMMAND, WIDTHS[LAYERS - 1], WIDTHS[LAYERS - 1]);
        for (int v = 0; v < LANES; v += WIDE)
            advance({s + v, LANES}, {now.command + v, LANES}, {u + v, LANES}, {now.state + v, LANES}, {&out[v], LANES});
        give(to.states + (at + t) * STATE, now.state, STATE, time * STATE, there);
        give(to.outputs + (at + t) * OUTPUT, out.data(), OUTPUT, time * OUTPUT, there);
        give(to.commands + (at + t) * COMMAND, now.command, COMMAND, time * COMMAND, there);
        give(to.hidden + (at + t) * HIDDEN, now.hidden, HIDDEN, time * HIDDEN, there);
    }
}

struct Gradients {  // of one thread; matrices padded to WIDE columns, biases a number a lane
    std::vector<Block> in, hidden, in_bias, hidden_bias;
    Gradients() : in(LAYERS + 1), hidden(LAYERS), in_bias(LAYERS + 1), hidden_bias(LAYERS) {
        for (int l = 0; l < LAYERS; l++) {
            in[l].resize((size_t)FROM_INPUT * WIDTHS[l] * padded(FEATURES[l]));
            hidden[l].resize((size_t)FROM_INPUT * WIDTHS[l] * padded(WIDTHS[l]));
            in_bias[l] = hidden_bias[l] = rows(FROM_INPUT * WIDTHS[l]);
        }
        in[LAYERS].resize((size_t)COMMAND * padded(WIDTHS[LAYERS - 1]));
        in_bias[LAYERS] = rows(COMMAND);
    }
};

struct Transposed {  // weights, for the way back
    std::vector<Block> in, hidden;
    explicit Transposed(const Layer *layers) : in(LAYERS + 1), hidden(LAYERS) {
        for (int l = 0; l < LAYERS; l++) {
            in[l] = turned(layers[l].in, FROM_INPUT * WIDTHS[l], FEATURES[l]);
            hidden[l] = turned(layers[l].hidden, FROM_INPUT * WIDTHS[l], WIDTHS[l]);
        }
        in[LAYERS] = turned(layers[LAYERS].in, COMMAND, WIDTHS[LAYERS - 1]);
    }
    static Block turned(const real *w, int count, int columns) {
        Block out((size_t)count * columns);
        for (int i = 0; i < count; i++)
            for (int k = 0; k < columns; k++) out[(size_t)k * count + i] = w[(size_t)i * columns + k];
        return out;
    }
};

static void add_lanes(Block &bias, const real *d, int from, int count) {
    for (int i = 0; i < count * LANES; i += WIDE) store(&bias[from * LANES + i], load(&bias[from * LANES + i]) + load(d + i));
}

static void run_backward(long block, long batch, long time, const Transposed &turned, real *records, const Trajectory &d,
                         real *d_state, real *d_hidden, real *d_inputs, Gradients &sum_of) {
    Block x = rows(WIDEST), xt(LANES * padded(WIDEST)), dx = rows(WIDEST), dout = rows(OUTPUT), du = rows(INPUT);
    Block ds = rows(STATE), ds_before = rows(STATE), dh = rows(HIDDEN), dh_before = rows(HIDDEN);
    Block dsums = rows(GATES * WIDEST), dcommand = rows(COMMAND);
    const long first = block * LANES, at = first * time;
    const int there = batch - first < LANES ? batch - first : LANES;
    for (long t = time - 1; t >= 0; t--) {
        const Record before(records + (block * (time + 1) + t) * Record::size), now(before.inputs + Record::size);
        const real *s = before.state, *u = now.inputs;
        std::fill(dout.begin(), dout.end(), 0);
        add(dout.data(), d.outputs ? d.outputs + (at + t) * OUTPUT : nullptr, OUTPUT, time * OUTPUT, there);
        add(ds.data(), d.states ? d.states + (at + t) * STATE : nullptr, STATE, time * STATE, there);
        add(dh.data(), d.hidden ? d.hidden + (at + t) * HIDDEN : nullptr, HIDDEN, time * HIDDEN, there);
        for (int v = 0; v < LANES; v += WIDE)
            advance_back({s + v, LANES}, {now.command + v, LANES}, {u + v, LANES}, {&ds[v], LANES}, {&dout[v], LANES},
                         {&ds_before[v], LANES}, {&dcommand[v], LANES}, {&du[v], LANES});
        std::swap(ds, ds_before);
        add(dcommand.data(), d.commands ? d.commands + (at + t) * COMMAND : nullptr, COMMAND, time * COMMAND, there);

        const int top = WIDTHS[LAYERS - 1];
        long hidden = (long)(HIDDEN - MEMORIES * top) * LANES;
        const real *sums = now.sums + SUMS * LANES;
        transpose(xt.data(), now.hidden + hidden, top);
        outer(sum_of.in[LAYERS].data(), dcommand.data(), xt.data(), COMMAND, padded(top));
        add_lanes(sum_of.in_bias[LAYERS], dcommand.data(), 0, COMMAND);
        product<true>(&dh[hidden], turned.in[LAYERS].data(), dcommand.data(), top, COMMAND, COMMAND);
        for (int v = 0; v < LANES; v += WIDE) observe({s + v, LANES}, {u + v, LANES}, {&x[v], LANES});
        for (int l = LAYERS - 1; l >= 0; l--) {
            const int w = WIDTHS[l], k = FEATURES[l];
            const long stride = (long)w * LANES, pitch = (long)FROM_INPUT * w;
            const real *h = before.hidden + hidden;
            real *last = &dsums[(GATES - 1) * stride];
            sums -= GATES * stride;
            for (long i = 0; i < stride; i += WIDE)
                cell_back({sums + i, stride}, {h + i, stride}, {&dh[hidden + i], stride}, {&dsums[i], stride},
                          {&dh_before[hidden + i], stride});
            transpose(xt.data(), l ? now.hidden + hidden - MEMORIES * WIDTHS[l - 1] * LANES : x.data(), k);
            outer(sum_of.in[l].data(), dsums.data(), xt.data(), FROM_INPUT * w, padded(k));
            add_lanes(sum_of.in_bias[l], dsums.data(), 0, FROM_INPUT * w);
            transpose(xt.data(), h, w);
            outer(sum_of.hidden[l].data(), dsums.data(), xt.data(), SHARED * w, padded(w));
            add_lanes(sum_of.hidden_bias[l], dsums.data(), 0, SHARED * w);
            product<true>(&dh_before[hidden], turned.hidden[l].data(), dsums.data(), w, SHARED * w, pitch);
            if (APART) {
                outer(sum_of.hidden[l].data() + (long)SHARED * w * padded(w), last, xt.data(), w, padded(w));
                add_lanes(sum_of.hidden_bias[l], last, SHARED * w, w);
                product<true>(&dh_before[hidden], turned.hidden[l].data() + SHARED * w, last, w, w, pitch);
            }
            if (l) {
                hidden -= MEMORIES * WIDTHS[l - 1] * LANES;
                product<true>(&dh[hidden], turned.in[l].data(), dsums.data(), k, FROM_INPUT * w, pitch);
            } else {
                product<false>(dx.data(), turned.in[0].data(), dsums.data(), k, FROM_INPUT * w, pitch);
            }
        }
        std::swap(dh, dh_before);
        for (int v = 0; v < LANES; v += WIDE)
            observe_back({s + v, LANES}, {u + v, LANES}, {&dx[v], LANES}, {&ds[v], LANES}, {&du[v], LANES});
        give(d_inputs + (at + t) * INPUT, du.data(), INPUT, time * INPUT, there);
    }
    give(d_state + first * STATE, ds.data(), STATE, STATE, there);
    give(d_hidden + first * HIDDEN, dh.data(), HIDDEN, HIDDEN, there);
}

static void add_matrix(real *to, const Block &from, int count, int columns) {
    const int pitch = padded(columns);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < columns; k++) to[(size_t)i * columns + k] += from[(size_t)i * pitch + k];
}
static void add_vector(real *to, const Block &from, int count) {
    for (int i = 0; i < count; i++)
        for (int lane = 0; lane < LANES; lane++) to[i] += from[(size_t)i * LANES + lane];
}

extern "C" {

// Numbers of a recording: the memory that `forward` fills for `backward`, or null.
long recording(long batch, long time) { return (batch + LANES - 1) / LANES * (time + 1) * Record::size; }

void forward(long batch, long time, int threads, const Layer *layers, const real *state, const real *hidden,
             const real *inputs, real *records, const Trajectory *to) {
    const Biases biases(layers);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long block = 0; block < (batch + LANES - 1) / LANES; block++) {
        NoDenormals here;
        run_forward(block, batch, time, layers, biases, state, hidden, inputs, records, *to);
    }
}

// The pull-back of gradients d. The weights' are added to d_layers.
void backward(long batch, long time, int threads, const Layer *layers, real *records, const Trajectory *d, real *d_state,
              real *d_hidden, real *d_inputs, Layer *d_layers) {
    const Transposed turned(layers);
    const long blocks = (batch + LANES - 1) / LANES;
    if (threads > blocks) threads = blocks;
    std::vector<Gradients> parts(threads);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int part = 0; part < threads; part++) {  // whose blocks it has does not depend on who is done first
        NoDenormals here;
        for (long block = part; block < blocks; block += threads)
            run_backward(block, batch, time, turned, records, *d, d_state, d_hidden, d_inputs, parts[part]);
    }
    for (const Gradients &part : parts) {
        for (int l = 0; l < LAYERS; l++) {
            add_matrix(d_layers[l].in, part.in[l], FROM_INPUT * WIDTHS[l], FEATURES[l]);
            add_matrix(d_layers[l].hidden, part.hidden[l], FROM_INPUT * WIDTHS[l], WIDTHS[l]);
            add_vector(d_layers[l].in_bias, part.in_bias[l], FROM_INPUT * WIDTHS[l]);
            add_vector(d_layers[l].hidden_bias, part.hidden_bias[l], FROM_INPUT * WIDTHS[l]);
        }
        add_matrix(d_layers[LAYERS].in, part.in[LAYERS], COMMAND, WIDTHS[LAYERS - 1]);
        add_vector(d_layers[LAYERS].in_bias, part.in_bias[LAYERS], COMMAND);
    }
}
}

/* Concealment of lost speech by linear prediction, from what came before the gap and from what comes after it.

   A voice is nearly periodic: a predictor that is longer than its pitch period goes on with it, and with its formants.
   Burg's method makes one from a few periods, and one that never grows louder. From behind the gap another predictor
   goes backward in time, and the first is faded into it. Whatever the samples are, all is bounded. */

enum {
    MAX_RATE = 16000,
    MAX_LEARNT = 3 * MAX_RATE / 100, /* 30 ms, in which a voice changes little */
    MAX_ORDER = MAX_RATE / 73,       /* the longest pitch period: of a low man, and in 30 ms still twice */
    MAX_GAP = MAX_RATE / 5,          /* 200 ms, as the longest packet; longer gaps are filled piece by piece */
    MAX_LED = MAX_RATE / 100,        /* 10 ms */
    QMF_DELAY = 22,                  /* of G.722's filters, both ways together, in samples */
};

typedef struct {
    int order;
    float taps[MAX_ORDER + 1]; /* x[n] = sum of taps[k] * x[n - k], k from 1 */
    float limit;               /* nothing that is predicted is louder */
} predictor_t;

typedef struct {
    int rate;
    int learnt;      /* how many samples a predictor is made from */
    int gap;         /* samples concealed in a row; 0 once what comes after them is known */
    int led;         /* samples after a bridge that lead on to what was decoded */
    float heard[MAX_LEARNT]; /* the last samples; in a gap, without the fading */
    float leading[MAX_LED];
    int has_forward;
    predictor_t forward; /* of this gap */
} concealer_t;

static concealer_t *concealer_new(int rate)
{
    concealer_t *c = rate <= MAX_RATE ? calloc(1, sizeof(*c)) : NULL;

    if (c) {
        c->rate = rate;
        c->learnt = 3 * rate / 100;
    }
    return c;
}

static void concealer_free(concealer_t *c)
{
    free(c);
}

static float within(float value, float limit)
{
    return fmaxf(-limit, fminf(limit, value));
}

static int16_t to_sample(float value)
{
    return (int16_t) lrintf(within(value, 32767.0f));
}

/* Burg's method (J. P. Burg, 37th meeting of the SEG, 1967), on x in the direction of step. */
static void learn(predictor_t *p, const float *x, int count, int step, int order)
{
    float f[MAX_LEARNT], b[MAX_LEARNT], a[MAX_ORDER + 1] = {1.0f}, before[MAX_ORDER + 1];
    float loudest = 0.0f;

    for (int n = 0; n < count; n++) {
        f[n] = b[n] = x[step * n];
        loudest = fmaxf(loudest, fabsf(f[n]));
    }
    for (int m = 1; m <= order; m++) {
        float product = 0.0f, energy = 1.0f;

        for (int n = m; n < count; n++) {
            product += f[n] * b[n - m];
            energy += f[n] * f[n] + b[n - m] * b[n - m];
        }
        float reflection = -2.0f * product / energy;
        for (int n = m; n < count; n++) {
            float forward = f[n];
            f[n] = forward + reflection * b[n - m];
            b[n - m] = b[n - m] + reflection * forward;
        }
        memcpy(before, a, sizeof(a));
        for (int k = 1; k <= m; k++)
            a[k] = before[k] + reflection * before[m - k];
    }
    p->order = order;
    p->limit = 1.2f * loudest;
    for (int k = 1; k <= order; k++)
        p->taps[k] = -a[k];
}

/* Goes on from the samples before x[0], for count samples in the direction of step. */
static void predict(const predictor_t *p, float *x, int count, int step)
{
    for (int n = 0; n < count; n++) {
        float next = 0.0f;

        for (int k = 1; k <= p->order; k++)
            next += p->taps[k] * x[step * (n - k)];
        x[step * n] = within(next, p->limit);
    }
}

static void remember(concealer_t *c, const float *samples, int count)
{
    int new = count < c->learnt ? count : c->learnt, kept = c->learnt - new;

    memmove(c->heard, c->heard + new, kept * sizeof(float));
    memcpy(c->heard + kept, samples + count - new, new * sizeof(float));
}

/* Speech invented for longer than a syllable sounds wrong: 16 ms of a gap are as loud as before, and 76 ms are all. */
static float loudness(const concealer_t *c, int since)
{
    float fading = (0.076f - (float) (c->gap + since) / c->rate) / 0.06f;

    return fmaxf(0.0f, fminf(1.0f, fading));
}

/* How speech would have gone on for count samples; x has room for MAX_LEARNT before them. */
static void go_on(concealer_t *c, float *x, int count)
{
    if (!c->has_forward)
        learn(&c->forward, c->heard, c->learnt, 1, c->rate / 73);
    c->has_forward = 1;
    memcpy(x - c->learnt, c->heard, c->learnt * sizeof(float));
    predict(&c->forward, x, count, 1);
}

/* Fills count samples, and writes ahead more that are not a part of the gap yet. */
static void conceal(concealer_t *c, int16_t *out, int count, int ahead)
{
    float work[MAX_LEARNT + MAX_GAP + QMF_DELAY], *x = work + MAX_LEARNT;

    go_on(c, x, count + ahead);
    for (int n = 0; n < count + ahead; n++)
        out[n] = to_sample(loudness(c, n) * x[n]);
    remember(c, x, count);
    c->gap += count;
}

/* Fills the last count samples of a gap before next, the first shaky ones of which are not to be relied on. */
static void bridge(concealer_t *c, const int16_t *next, int next_count, int shaky, int16_t *out, int count)
{
    float before[MAX_LEARNT + MAX_GAP + MAX_LED], after[MAX_GAP + MAX_LED + MAX_LEARNT], *x = before + MAX_LEARNT;
    int led = shaky < next_count / 2 ? shaky : next_count / 2, order = c->rate / 73, learnt = next_count - led;
    predictor_t backward;

    if (learnt > c->learnt)
        learnt = c->learnt;
    if (order > learnt / 3)
        order = learnt / 3;
    go_on(c, x, count + led);
    for (int n = 0; n < learnt; n++)
        after[count + led + n] = next[led + n];
    learn(&backward, after + count + led + learnt - 1, learnt, -1, order);
    predict(&backward, after + count + led - 1, count + led, -1);
    for (int n = 0; n < count + led; n++) {
        float done = (n + 0.5f) / (count + led);
        x[n] = (1.0f - done) * loudness(c, n) * x[n] + done * after[n];
    }
    for (int n = 0; n < count; n++)
        out[n] = to_sample(x[n]);
    memcpy(c->leading, x + count, led * sizeof(float));
    remember(c, x, count);
    c->led = led;
    c->gap = c->has_forward = 0;
}

/* Takes samples that were decoded, and fades into them where a gap has ended. */
static void concealer_hear(concealer_t *c, int16_t *samples, int count)
{
    float work[MAX_LEARNT + MAX_GAP], *x = work + MAX_LEARNT;

    if (c->gap) {
        c->led = c->rate / 200;
        go_on(c, x, c->led);
        for (int n = 0; n < c->led; n++)
            c->leading[n] = loudness(c, n) * x[n];
    }
    for (int n = 0; n < c->led && n < count; n++) {
        float done = (n + 0.5f) / c->led;
        samples[n] = to_sample((1.0f - done) * c->leading[n] + done * samples[n]);
    }
    for (int n = 0; n < count; n++)
        x[n] = samples[n];
    remember(c, x, count);
    c->gap = c->led = c->has_forward = 0;
}

/* G.711 has no state: what comes next can be decoded at any time. */

static void g711_conceal(g711_state_t *s, concealer_t *c, int16_t *out, int count)
{
    (void) s;
    conceal(c, out, count, 0);
}

static void g711_bridge(g711_state_t *s, concealer_t *c, const uint8_t *next, int next_bytes, int16_t *out, int count)
{
    int16_t decoded[MAX_GAP];

    bridge(c, decoded, g711_decode(s, decoded, next, next_bytes), 0, out, count);
}

/* G.722 predicts each band from what it has decoded. So that it goes on as if nothing were lost, what was concealed is
   encoded with the state of the decoder, and decoded (compare G.722 Appendix IV). Steps and predictors stay those of the
   speech before the gap: those of what was made by prediction would be too small.

   The filters, which split the bands, look ahead: count samples are followed when those up to count + ahead are known. */

static int ahead_of(const g722_decode_state_t *s)
{
    return s->eight_k ? 0 : QMF_DELAY;
}

static void follow(g722_decode_state_t *s, const concealer_t *c, const int16_t *samples, int count)
{
    g722_encode_state_t encoder;
    g722_band_t before[2];
    uint8_t payload[MAX_GAP];
    int16_t decoded[MAX_GAP], first[QMF_DELAY + 2];
    int ahead = ahead_of(s), coded = ahead ? count & ~1 : count;

    g722_encode_init(&encoder, 64000, s->eight_k ? G722_SAMPLE_RATE_8000 : 0);
    if (ahead) { /* the filters are filled with what is between the samples heard before, and the first to be coded */
        for (int n = 0; n < 2; n++)
            first[n] = count + 2 <= c->learnt ? to_sample(c->heard[c->learnt - count - 2 + n]) : samples[0];
        memcpy(first + 2, samples, ahead * sizeof(int16_t));
        g722_encode(&encoder, payload, first, QMF_DELAY + 2);
    }
    memcpy(before, s->band, sizeof(before));
    memcpy(encoder.band, s->band, sizeof(encoder.band));
    g722_decode(s, decoded, payload, g722_encode(&encoder, payload, samples + ahead, coded));
    for (int band = 0; band < 2; band++) {
        s->band[band].nb = before[band].nb;
        s->band[band].det = before[band].det;
        memcpy(s->band[band].a, before[band].a, sizeof(before[band].a));
        memcpy(s->band[band].b, before[band].b, sizeof(before[band].b));
    }
}

static void g722_conceal(g722_decode_state_t *s, concealer_t *c, int16_t *out, int count)
{
    int16_t samples[MAX_GAP + QMF_DELAY];

    conceal(c, samples, count, ahead_of(s));
    follow(s, c, samples, count);
    memcpy(out, samples, count * sizeof(int16_t));
}

/* What comes next can be decoded only after a guess at what was lost, which is wrong: so its beginning is not used. */
static void g722_bridge(g722_decode_state_t *s, concealer_t *c, const uint8_t *next, int next_bytes, int16_t *out,
                        int count)
{
    g722_decode_state_t guess = *s;
    concealer_t guessing = *c;
    int16_t samples[MAX_GAP + QMF_DELAY], decoded[MAX_GAP];
    int decoded_count, ahead = ahead_of(s);

    conceal(&guessing, samples, count, ahead);
    c->forward = guessing.forward;
    c->has_forward = 1;
    follow(&guess, &guessing, samples, count);
    decoded_count = g722_decode(&guess, decoded, next, next_bytes);
    bridge(c, decoded, decoded_count, c->rate / 250, samples, count);
    for (int n = 0; n < ahead; n++)
        samples[count + n] = n < c->led ? to_sample(c->leading[n]) : 0;
    follow(s, c, samples, count);
    memcpy(out, samples, count * sizeof(int16_t));
}

// What the rules of calculus are written in, over JavaScript's numbers: value for value what Python's functions give.
// What Math has is taken from there; where Python refuses a number, so does this, with a RangeError in words.

const inf = Infinity, nan = NaN, pi = Math.PI;

function within(domain, words) {
  if (!domain) throw new RangeError(words);
}

const finite = (x, name) => within(Number.isFinite(x) || x !== x, `${name} takes finite numbers only`);
const above = (x, least, name) => within(!(x <= least), `${name} takes numbers above ${least} only`);

const { exp, expm1, cbrt, atan, atan2, sinh, cosh, tanh, asinh, hypot, floor } = Math;

function log(x) { above(x, 0, "the logarithm"); return Math.log(x); }
function log1p(x) { above(x, -1, "log1p"); return Math.log1p(x); }
function log2(x) { above(x, 0, "the logarithm"); return Math.log2(x); }
function log10(x) { above(x, 0, "the logarithm"); return Math.log10(x); }
function sqrt(x) { within(!(x < 0), "a square root takes numbers from 0 up only"); return Math.sqrt(x); }
function sin(x) { finite(x, "the sine"); return Math.sin(x); }
function cos(x) { finite(x, "the cosine"); return Math.cos(x); }
function tan(x) { finite(x, "the tangent"); return Math.tan(x); }
function asin(x) { within(!(Math.abs(x) > 1), "asin takes numbers from -1 to 1 only"); return Math.asin(x); }
function acos(x) { within(!(Math.abs(x) > 1), "acos takes numbers from -1 to 1 only"); return Math.acos(x); }
function acosh(x) { within(!(x < 1), "acosh takes numbers from 1 up only"); return Math.acosh(x); }
function atanh(x) { within(!(Math.abs(x) >= 1), "atanh takes numbers between -1 and 1 only"); return Math.atanh(x); }

function divide(x, y) {
  within(y !== 0, "there is no division by zero");
  return x / y;
}

function mod(x, y) {
  within(y !== 0, "there is no remainder of a division by zero");
  const rest = x % y;
  return rest ? (rest < 0) !== (y < 0) ? rest + y : rest : rest === 0 ? y > 0 ? 0 : -0 : rest;
}

function pow(x, y) {
  if (x === 1 || (x === -1 && Math.abs(y) === inf)) return 1;
  within(!(x === 0 && y < 0 && y !== -inf), "0 has no negative power");
  within(!(x < 0 && Number.isFinite(x) && Number.isFinite(y) && y !== Math.floor(y)),
    "a negative number has whole powers only");
  return x ** y;
}

// With a kink or a jump: nan stays nan, and no -0 comes out.

const abs = (x) => Math.abs(x);
const sign = (x) => x !== x ? x : x > 0 ? 1 : x < 0 ? -1 : 0;
const step = (x) => x !== x ? x : x > 0 ? 1 : 0;
const ceil = (x) => Math.ceil(x) + 0;
const maximum = (x, y) => x > y || x !== x ? x : y;
const minimum = (x, y) => x < y || x !== x ? x : y;

// The chain rule's product: what has no influence passes nothing on, not even against infinity.

const reciprocal = (x) => 1 / x;
const times = (x, y) => x === 0 || y === 0 ? 0 : x * y;

// The error function, after s_erf.c of FreeBSD's msun (Copyright 1993 Sun Microsystems, which gave it free to use, copy,
// modify and distribute with this notice): rational approximations on five intervals, each to the last place.

const polynomial = (x, coefficients) => coefficients.reduceRight((sum, c) => sum * x + c, 0);

const ERF_SMALL = [
  [1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02, -5.77027029648944159157e-03,
    -2.37630166566501626084e-05],
  [1, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03, 1.32494738004321644526e-04,
    -3.96022827877536812320e-06],
];
const ERF_ONE = [
  [-2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01, 3.18346619901161753674e-01,
    -1.10894694282396677476e-01, 3.54783043256182359371e-02, -2.16637559486879084300e-03],
  [1, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02, 1.26171219808761642112e-01,
    1.36370839120290507362e-02, 1.19844998467991074170e-02],
];
const ERFC_NEAR = [
  [-9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e+01, -6.23753324503260060396e+01,
    -1.62396669462573470355e+02, -1.84605092906711035994e+02, -8.12874355063065934246e+01, -9.81432934416914548592e+00],
  [1, 1.96512716674392571292e+01, 1.37657754143519042600e+02, 4.34565877475229228821e+02, 6.45387271733267880336e+02,
    4.29008140027567833386e+02, 1.08635005541779435134e+02, 6.57024977031928170135e+00, -6.04244152148580987438e-02],
];
const ERFC_FAR = [
  [-9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e+01, -1.60636384855821916062e+02,
    -6.37566443368389627722e+02, -1.02509513161107724954e+03, -4.83519191608651397019e+02],
  [1, 3.03380607434824582924e+01, 3.25792512996573918826e+02, 1.53672958608443695994e+03, 3.19985821950859553908e+03,
    2.55305040643316442583e+03, 4.74528541206955367215e+02, -2.24409524465858183362e+01],
];
const ERX = 8.45062911510467529297e-01;
const ratio = (x, [above, below]) => polynomial(x, above) / polynomial(x, below);

function tail(x) { // erfc(x) for x from 1.25 up
  if (x >= 28) return 0;
  const rest = ratio(1 / (x * x), x < 1 / 0.35 ? ERFC_NEAR : ERFC_FAR);
  const short = Math.fround(x);
  return exp(-short * short - 0.5625) * exp((short - x) * (short + x) + rest) / x;
}

function erf(x) {
  const size = Math.abs(x);
  if (size < 0.84375) return x + x * ratio(x * x, ERF_SMALL);
  if (size < 1.25) return Math.sign(x) * (ERX + ratio(size - 1, ERF_ONE));
  return x !== x ? x : Math.sign(x) * (size < 6 ? 1 - tail(size) : 1);
}

function erfc(x) {
  if (Math.abs(x) < 0.84375) {
    const y = ratio(x * x, ERF_SMALL);
    return x < 0.25 ? 1 - (x + x * y) : 0.5 - (x - 0.5 + x * y);
  }
  if (Math.abs(x) < 1.25) {
    return x > 0 ? 1 - ERX - ratio(x - 1, ERF_ONE) : 1 + (ERX + ratio(-x - 1, ERF_ONE));
  }
  return x !== x ? x : x > 0 ? tail(x) : 2 - tail(-x);
}

// Products as a sum of two numbers, exactly (Dekker, Numerische Mathematik 18, 1971), and what needs them.

function product(x, y) {
  const split = (z) => { const big = z * 134217729; const high = big - (big - z); return [high, z - high]; };
  const [a, b] = split(x), [c, d] = split(y);
  return [x * y, (a * c - x * y) + a * d + b * c + b * d];
}

function gaussian(x, c) {
  const size = Math.abs(c * x * x);
  if (!(size > 0 && size < 1e3 && Math.abs(x) > 1e-140 && Math.abs(x) < 1e140)) return exp(c * x * x);
  const scale = 2 ** Math.floor(Math.log2(Math.abs(x)));
  const short = x / scale, factor = c * scale * scale;
  const [square, squareRest] = product(short, short);
  const [power, powerRest] = product(factor, square);
  const bell = exp(power);
  return bell + bell * (powerRest + factor * squareRest);
}

function ndtr(x) {
  const z = -x * Math.sqrt(0.5);
  if (!(z > 0.5 && z < 40)) return 0.5 * erfc(z);
  const [half, halfRest] = product(0.5 * x, x), [square, squareRest] = product(z, z);
  const error = (square - half + (squareRest - halfRest)) / (2 * z);
  return 0.5 * erfc(z) + error * gaussian(z, -1) / Math.sqrt(pi);
}

// The gamma function and its kin, the tail of the bell curve, sinc: as in machinery/special.py, where the formulas are
// told. Math has no gamma: it is brought to an argument between 2 and 3, where it is the exponential of its logarithm.

const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798];
const ROOT = 1.4616321449683622, ROOT_REST = 9.549995429965697e-17, FAR = 12;
const ZETAS = [];
const pole = (x, name) => within(!(x <= 0 && x === floor(x)), `${name} has a pole there`);

function hurwitz(s, x) { // the sum of (x + k) ** -s over k = 0, 1, ...
  const terms = [];
  for (; x < FAR + s; x++) terms.push(x ** -s);
  const last = x ** -s;
  terms.push(last * x / (s - 1), last / 2);
  let factor = last * s / x / 2;
  BERNOULLI.forEach((b, i) => {
    terms.push(b * factor);
    const k = 2 * i + 2;
    factor *= (s + k - 1) * (s + k) / ((k + 1) * (k + 2) * x * x);
  });
  return Number.isFinite(terms[0]) ? sum(terms) : terms[0];
}

function digamma(x) { // for x > 0
  const series = BERNOULLI.map((b, i) => b / (2 * i + 2));
  if (x >= FAR) {
    const u = 1 / x / x;
    return Math.log(x) - (0.5 / x + u * polynomial(u, series));
  }
  const distance = x - ROOT - ROOT_REST, terms = [];
  for (let k = 0; k < FAR; k++) terms.push(1 / (k + x) / (k + ROOT));
  const a = FAR + x, b = FAR + ROOT, u = 1 / (a * a), v = 1 / (b * b);
  terms.push(Math.log1p(distance / b) / distance, 0.5 / (a * b));
  let p = 0, q = 0;
  for (const c of [0, ...series].reverse()) [p, q] = [p * u + c, q * v + p];
  terms.push((a + b) * u * v * q);
  return Number.isFinite(terms[0]) ? distance * sum(terms) : -inf;
}

function cotangent(x) { // of πx
  const rest = x - Math.round(x);
  return Math.abs(rest) <= 0.25 ? 1 / Math.tan(pi * rest) : Math.sign(rest) * Math.tan(pi * (0.5 - Math.abs(rest)));
}

function polygamma(n, x) {
  if (n !== n || x !== x || x === -inf) return nan;
  within(n >= 0 && n <= 100 && n === floor(n), "the order of polygamma is a whole number from 0 to 100");
  pole(x, "polygamma");
  if (x === inf) return n === 0 ? inf : 0;
  const sign = n % 2 ? 1 : -1;
  let factorial = 1;
  for (let k = 2; k <= n; k++) factorial *= k;
  if (x > 0) return n === 0 ? digamma(x) : sign * factorial * hurwitz(n + 1, x);
  let derivative = [0, 1]; // of the cotangent, as a polynomial in it
  for (let i = 0; i < n; i++) {
    const slope = derivative.map((c, k) => k * c).slice(1);
    derivative = [...slope, 0, 0].map((c, k) => -(c + (k > 1 ? slope[k - 2] : 0)));
  }
  return -sign * polygamma(n, 1 - x) - pi ** (n + 1) * polynomial(cotangent(x), derivative);
}

function lgamma(x) {
  if (Math.abs(x) === inf) return inf;
  pole(x, "lgamma");
  if (x < 0) return x > -1e-20 ? -Math.log(-x) : Math.log(pi / Math.abs(sinpi(x) * x)) - lgamma(-x);
  if (x >= 3.5) {
    let shift = 0;
    for (; x < FAR; x++) shift += Math.log(x);
    const u = 1 / x / x, rest = polynomial(u, BERNOULLI.map((b, i) => b / ((2 * i + 1) * (2 * i + 2)))) / x;
    return (x - 0.5) * (Math.log(x) - 1) + (0.5 * Math.log(2 * pi) - 0.5 + rest) - shift;
  }
  if (!ZETAS.length) for (let k = 2; k < 40; k++) ZETAS.push(hurwitz(k, 2) / k);
  const whole = x < 1.35 ? 1 : x < 2.5 ? 2 : 3, z = x >= 0.5 ? x - whole : x;
  const series = z * (0.42278433509846713 + z * polynomial(-z, ZETAS));
  if (whole > 1) return whole === 3 ? series + Math.log(x - 1) : series;
  return series - Math.log1p(z) - (x < 0.5 ? Math.log(x) : 0);
}

function gamma(x) {
  within(x !== -inf, "gamma takes no negative infinity");
  pole(x, "gamma");
  if (x > 180) return inf;
  if (x < -190) return 0;
  let value = 1;
  for (; x < 2; x++) value /= x;
  for (; x > 3; x--) value *= x - 1;
  return value * exp(lgamma(x));
}

function log_ndtr(x) {
  if (x > 0) return Math.log1p(-ndtr(-x));
  if (!(x <= -10)) return Math.log(ndtr(x));
  let fraction = -x;
  for (let k = 12; k > 0; k--) fraction = k / fraction - x;
  return -0.5 * x * x - (0.5 * Math.log(2 * pi) + Math.log(fraction));
}

function sinpi(x) {
  const rest = x - 2 * Math.round(x / 2);
  return Math.sin(pi * (Math.abs(rest) > 0.5 ? Math.sign(rest) * (1 - Math.abs(rest)) : rest));
}

function sinc(x) {
  finite(x, "sinc");
  return Math.abs(x) < 1e-20 ? 1 : sinpi(x) / (pi * x);
}

// Over sequences.

const norm = (xs) => hypot(...xs);

function sum(xs) { // rounded once (Shewchuk, Discrete and Computational Geometry 18, 1997)
  if (!xs.every(Number.isFinite)) return xs.reduce((total, x) => total + x, 0);
  const parts = [];
  for (let x of xs) {
    let i = 0;
    for (let y of parts) {
      if (Math.abs(x) < Math.abs(y)) [x, y] = [y, x];
      const high = x + y, low = y - (high - x);
      if (low) parts[i++] = low;
      x = high;
    }
    parts.length = i;
    parts.push(x);
  }
  if (!parts.every(Number.isFinite)) return sum(xs.map((x) => x * 2 ** -64)) * 2 ** 64;
  let n = parts.length - 1, total = parts[n] ?? 0, low = 0;
  while (n > 0 && !low) {
    const x = total, y = parts[--n];
    total = x + y;
    low = y - (total - x);
  }
  if (n > 0 && (low < 0) === (parts[n - 1] < 0)) { // half way between two numbers: the rest decides
    const twice = low * 2, next = total + twice;
    if (twice === next - total) total = next;
  }
  return total;
}

function dot(xs, ys) {
  const parts = xs.flatMap((x, i) => product(x, ys[i]));
  return sum(parts.every(Number.isFinite) ? parts : xs.map((x, i) => x * ys[i]));
}

function weights(xs) { // the largest, and exp(x - largest) for each, without the rounding of the difference
  const top = xs.reduce((a, b) => a > b || a !== a ? a : b, -inf);
  return [top, xs.map((x) => {
    const distance = x - top, back = distance - x;
    const lost = (x - (distance - back)) - (top + back);
    const weight = x === top && Number.isFinite(top) ? 1 : exp(distance);
    return Number.isFinite(lost) ? weight + weight * lost : weight;
  })];
}

function logTotal(xs) {
  const [top, all] = weights(xs);
  all.splice(xs.indexOf(top), 1);
  return [top, Math.log1p(sum(all))];
}

function logsumexp(xs) {
  if (xs.some((x) => x !== x)) return nan;
  const [top, rest] = xs.length ? logTotal(xs) : [-inf, 0];
  return Number.isFinite(top) ? top + rest : top;
}

function softmax(xs) {
  const [, all] = weights(xs), total = sum(all);
  return all.map((weight) => weight / total);
}

function log_softmax(xs) {
  if (xs.some((x) => x !== x) || xs.every((x) => x === -inf)) return xs.map(() => nan);
  const [top, rest] = logTotal(xs);
  return xs.map((x) => (x === top ? 0 : x - top) - rest);
}

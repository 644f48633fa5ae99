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

// Over sequences.

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

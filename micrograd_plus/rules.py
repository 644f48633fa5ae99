"""The page of calculus: one rule per operation, which gives its value and its partial derivatives.

A rule is written over numbers of any kind. Over floats it gives a value and its slopes; over Values, whose own rules
then run, the second derivatives, the third, and so on.

Its template says how the operation is written in a program, and so computes its value over floats. Where that is just
the operation's own name, as `sin({x})`, it comes from functions.py, machinery/digits.py or machinery/special.py. Inside
a rule, too, the name means that finished function: in `def sin(x): return sin(x), cos(x)` the inner `sin` gives the
value at x.

A rule does not branch with `if` on its operands, it chooses with `where`: a program that jit records then stays right
for other inputs. Where the value exists but the slope does not, the slope is a choice; docs/accuracy.md lists them. A 0
that is a choice is NOTHING, a 0.0 known by `is`: what it cuts off is cut off on purpose.
"""

import math
from math import inf, nan, pi

from .functions import where
from .machinery.digits import NOTHING, cosine, power_at_zero
from .machinery.operations import FUNCTIONS, RULES, Rule, rule
from .machinery.special import directions, hazard, sinc_slope

__all__ = ["FUNCTIONS", "NOTHING", "RULES", "Rule", "rule"]

# fmt: off

# Arithmetic -----------------------------------------------------------------------------------------------------------
@rule("{x} + {y}", "The sum x + y: add(2.0, 3.0) is 5.0")
def add(x, y): return x + y, 1.0, 1.0
@rule("{x} - {y}", "The difference x - y: sub(2.0, 3.0) is -1.0")
def sub(x, y): return x - y, 1.0, -1.0
@rule("{x} * {y}", "The product x * y: mul(2.0, 3.0) is 6.0")
def mul(x, y): return x * y, y, x
@rule("{x} / {y}", "The quotient x / y, ZeroDivisionError at y = 0: truediv(3.0, 2.0) is 1.5")
def truediv(x, y):
    quotient = x / y
    return quotient, reciprocal(y), -quotient / y
@rule("mod({x}, {y})", "The remainder x % y, with the sign of y: mod(-1.0, 3.0) is 2.0", notation="{x} % {y}")
def mod(x, y):
    remainder = mod(x, y)
    return remainder, 1.0, where(remainder == x, NOTHING, (remainder - x) / y)
@rule("pow({x}, {y})", "The power x**y, ValueError where it is not real: pow(2.0, 3.0) is 8.0", notation="{x} ** {y}")
def pow(x, y):
    power, zero = pow(x, y), x == 0.0
    small = (y < 0.5) | (y > 2.0**53)                               # y - 1 would lose digits of y: take x**y / x
    base, exponent = where(zero & (y < 1.0), 1.0, x), where(small, 1.0, y - 1.0)
    slope = where(small, y * power / where(zero, 1.0, x), y * pow(base, exponent))
    steep, fall = power_at_zero(x, y, slope)
    return (power,
            NOTHING if y is NOTHING else where(zero, steep, slope),  # x**0, where 0 is a constant
            where(zero, fall, power * where(x > 0.0, log(where(x > 0.0, x, 1.0)), nan)))
@rule("-{x}", "The opposite -x: neg(2.0) is -2.0")
def neg(x): return -x, -1.0
@rule("abs({x})", "The absolute value |x|, slope 0 at 0: abs(-2.0) is 2.0")
def abs(x): return abs(x), where(x == 0.0, NOTHING, sign(x))
@rule("reciprocal({x})", "The reciprocal 1 / x, infinite at 0: reciprocal(4.0) is 0.25")
def reciprocal(x):
    inverse = reciprocal(x)
    return inverse, -inverse * inverse
@rule("times({x}, {y})", "The product x * y, 0 if either is 0, even against infinity: times(0.0, 1e999) is 0.0")
def times(x, y): return times(x, y), y, x
# Jumps and kinks ------------------------------------------------------------------------------------------------------
@rule("sign({x})", "The sign of x, -1, 0 or 1: sign(-2.0) is -1.0")
def sign(x): return sign(x), NOTHING
@rule("step({x})", "The unit step, 1 where x > 0, else 0: step(2.0) is 1.0")
def step(x): return step(x), NOTHING
@rule("floor({x})", "The largest whole number up to x: floor(-1.5) is -2.0")
def floor(x): return floor(x), NOTHING
@rule("ceil({x})", "The smallest whole number from x: ceil(-1.5) is -1.0")
def ceil(x): return ceil(x), NOTHING
@rule("maximum({x}, {y})", "The larger of x and y, half the slope to each at a tie: maximum(2.0, 3.0) is 3.0")
def maximum(x, y):
    return maximum(x, y), where(x > y, 1.0, where(x < y, NOTHING, 0.5)), where(x < y, 1.0, where(x > y, NOTHING, 0.5))
@rule("minimum({x}, {y})", "The smaller of x and y, half the slope to each at a tie: minimum(2.0, 3.0) is 2.0")
def minimum(x, y):
    return minimum(x, y), where(x < y, 1.0, where(x > y, NOTHING, 0.5)), where(x > y, 1.0, where(x < y, NOTHING, 0.5))
# Exponentials, logarithms, roots --------------------------------------------------------------------------------------
@rule("exp({x})", "The exponential e**x: exp(0.0) is 1.0")
def exp(x):
    power = exp(x)
    return power, power
@rule("expm1({x})", "The exponential less one, e**x - 1, with all its digits near 0: expm1(1e-20) is 1e-20")
def expm1(x): return expm1(x), exp(x)                                # not expm1(x) + 1, which is 0 at -50
@rule("log({x})", "The natural logarithm of x > 0: log(1.0) is 0.0")
def log(x): return log(x), reciprocal(x)
@rule("log1p({x})", "The logarithm of 1 + x > 0, with all its digits near 0: log1p(1e-20) is 1e-20")
def log1p(x): return log1p(x), reciprocal(1.0 + x)
@rule("log2({x})", "The logarithm of x > 0 to the base 2: log2(8.0) is 3.0")
def log2(x): return log2(x), reciprocal(x) / math.log(2.0)           # 1 / (x log 2)
@rule("log10({x})", "The logarithm of x > 0 to the base 10: log10(100.0) is 2.0")
def log10(x): return log10(x), reciprocal(x) / math.log(10.0)
@rule("sqrt({x})", "The square root of x >= 0, its slope infinite at 0: sqrt(9.0) is 3.0")
def sqrt(x):
    root = sqrt(x)
    return root, 0.5 * reciprocal(root + 0.0)                       # makes 0.0 of -0.0: the slope is +∞
@rule("cbrt({x})", "The cube root of x, its slope infinite at 0: cbrt(-8.0) is -2.0")
def cbrt(x):
    root = cbrt(x)
    return root, reciprocal(3.0 * root * root)
# The circle -----------------------------------------------------------------------------------------------------------
@rule("sin({x})", "The sine of x radians: sin(0.0) is 0.0")
def sin(x): return sin(x), cos(x)
@rule("cos({x})", "The cosine of x radians: cos(0.0) is 1.0")
def cos(x): return cos(x), -sin(x)
@rule("tan({x})", "The tangent of x radians: tan(0.0) is 0.0")
def tan(x):
    value = tan(x)
    return value, 1.0 + value * value
@rule("asin({x})", "The angle whose sine is x, in [-π/2, π/2]: asin(0.0) is 0.0", numpy="arcsin")
def asin(x): return asin(x), reciprocal(sqrt((1.0 - x) * (1.0 + x)))  # 1 / √(1 - x²), with all digits near 1
@rule("acos({x})", "The angle whose cosine is x, in [0, π]: acos(1.0) is 0.0", numpy="arccos")
def acos(x): return acos(x), -reciprocal(sqrt((1.0 - x) * (1.0 + x)))  # -1 / √(1 - x²)
@rule("atan({x})", "The angle whose tangent is x, in (-π/2, π/2): atan(0.0) is 0.0", numpy="arctan")
def atan(x): return atan(x), reciprocal(1.0 + x * x)
@rule("atan2({x}, {y})", "The angle of the point (y, x), slopes 0 at (0, 0): atan2(0.0, 1.0) is 0.0", numpy="arctan2")
def atan2(x, y):
    length = hypot(x, y)
    radius = where(length == 0.0, 1.0, length)                      # y / (x² + y²), without overflow
    return atan2(x, y), *[where(length == 0.0, NOTHING, side / radius / radius) for side in (y, -x)]
@rule("hypot({x}, {y})", "The length of the vector (x, y), slopes 0 at (0, 0): hypot(3.0, 4.0) is 5.0")
def hypot(x, y): return hypot(x, y), cosine(x, y), cosine(y, x)       # x / √(x² + y²)
# The hyperbola --------------------------------------------------------------------------------------------------------
@rule("sinh({x})", "The hyperbolic sine of x: sinh(0.0) is 0.0")
def sinh(x): return sinh(x), cosh(x)
@rule("cosh({x})", "The hyperbolic cosine of x: cosh(0.0) is 1.0")
def cosh(x): return cosh(x), sinh(x)
@rule("tanh({x})", "The hyperbolic tangent of x: tanh(0.0) is 0.0")
def tanh(x):
    less = sigmoid(where(x > 0.0, -2.0 * x, 2.0 * x))
    return tanh(x), 4.0 * (less - less * less)                       # 1 - tanh², without losing digits
@rule("asinh({x})", "The number whose hyperbolic sine is x: asinh(0.0) is 0.0", numpy="arcsinh")
def asinh(x): return asinh(x), reciprocal(hypot(1.0, x))             # 1 / √(x² + 1), without overflow
@rule("acosh({x})", "The number from 0 up whose hyperbolic cosine is x >= 1: acosh(1.0) is 0.0", numpy="arccosh")
def acosh(x): return acosh(x), reciprocal(sqrt(x - 1.0) * sqrt(x + 1.0))  # 1 / √(x² - 1), without overflow
@rule("atanh({x})", "The number whose hyperbolic tangent is x, -1 < x < 1: atanh(0.0) is 0.0", numpy="arctanh")
def atanh(x): return atanh(x), reciprocal((1.0 - x) * (1.0 + x))     # 1 / (1 - x²), with all digits near 1
# The bell curve -------------------------------------------------------------------------------------------------------
@rule("gaussian({x}, {y})", "The bell exp(y * x**2): gaussian(0.0, -0.5) is 1.0")
def gaussian(x, y):
    bell = gaussian(x, y)
    return bell, 2.0 * times(y * x, bell), times(x * x, bell)
@rule("ndtr({x})", "The area under the normal distribution up to x: ndtr(0.0) is 0.5")
def ndtr(x): return ndtr(x), gaussian(x, -0.5) / math.sqrt(2.0 * pi)
@rule("erf({x})", "The error function: erf(0.0) is 0.0")
def erf(x): return erf(x), 2.0 / math.sqrt(pi) * gaussian(x, -1.0)
@rule("erfc({x})", "The complementary error function, 1 - erf(x): erfc(0.0) is 1.0")
def erfc(x): return erfc(x), -2.0 / math.sqrt(pi) * gaussian(x, -1.0)
@rule("log_ndtr({x})", "The logarithm of ndtr(x), in the far tail too: log_ndtr(-1e3) is -500007.82669481216")
def log_ndtr(x): return log_ndtr(x), hazard(x)                       # gaussian(x, -½) / √(2π) / ndtr(x)
# Special functions ----------------------------------------------------------------------------------------------------
@rule("gamma({x})", "The gamma function, at whole numbers (x - 1)! (DLMF 5.2.1): gamma(5.0) is 24.0")
def gamma(x):
    factorial = gamma(x)
    return factorial, factorial * polygamma(0.0, x)
@rule("lgamma({x})", "The logarithm of abs(gamma(x)): lgamma(2.0) is 0.0")
def lgamma(x): return lgamma(x), polygamma(0.0, x)
@rule("polygamma({x}, {y})", "Derivative x + 1 of lgamma at y (DLMF 5.15): polygamma(1.0, 0.5) is 4.934802200544679")
def polygamma(x, y): return polygamma(x, y), nan, polygamma(x + 1.0, y)
@rule("sinc({x})", "The wave sin(πx) / (πx), 1 at 0: sinc(0.5) is 0.6366197723675814")
def sinc(x): return sinc(x), sinc_slope(x)                           # (cos πx - sinc x) / x
@rule("times({x}, log(where({x} == 0.0, 1.0, {y})))", "The product x * log(y), 0 where x is 0: xlogy(0.0, 0.0) is 0.0")
def xlogy(x, y):
    positive, logarithm = y > 0.0, log(where(y > 0.0, y, 1.0))
    return xlogy(x, y), where(positive, logarithm, -inf), where(x == 0.0, NOTHING, x / where(positive, y, 1.0))
@rule("2.0 * asinh(({x} - 0.5) / sqrt({x} * (1.0 - {x})))", "The log-odds of x, log(x / (1 - x)): logit(0.5) is 0.0")
def logit(x): return logit(x), reciprocal(x * (1.0 - x))
# Networks -------------------------------------------------------------------------------------------------------------
@rule("maximum({x}, 0.0)", "The rectifier, x where x > 0, else 0: relu(-2.0) is 0.0")
def relu(x): return relu(x), where(x <= 0.0, NOTHING, step(x))
@rule("maximum({x}, 0.0) + {y} * minimum(0.0, {x})", "Where x > 0, x, else y * x: leaky_relu(-2.0) is -0.02")
def leaky_relu(x, y=0.01): return leaky_relu(x, y), where(x > 0.0, 1.0, y), where(x >= 0.0, NOTHING, x)
@rule("maximum({x}, 0.0) + {y} * expm1(minimum(0.0, {x}))", "Where x > 0, x, else y * expm1(x): elu(2.0) is 2.0")
def elu(x, y=1.0):
    low = where(x > 0.0, 0.0, x)
    root = exp(0.5 * low)                                           # exp(low) alone may be too small for a float
    return elu(x, y), where(x > 0.0, 1.0, y * root * root), where(x >= 0.0, NOTHING, expm1(low))
@rule("{x} * ndtr({x})", "The Gaussian error linear unit, x * ndtr(x) (Hendrycks and Gimpel, 2016): gelu(0.0) is 0.0")
def gelu(x): return gelu(x), ndtr(x) + x * gaussian(x, -0.5) / math.sqrt(2.0 * pi)
@rule("exp(minimum({x}, 0.0)) / (1.0 + exp(-abs({x})))", "The logistic function 1 / (1 + e**-x): sigmoid(0.0) is 0.5")
def sigmoid(x):
    less = sigmoid(where(x > 0.0, -x, x))                           # the smaller of σ(x), σ(-x): 1 - less is exact
    return sigmoid(x), less - less * less
@rule("{x} * sigmoid({x})", "The sigmoid linear unit, x * sigmoid(x): silu(0.0) is 0.0")
def silu(x):
    rise = sigmoid(x)
    return silu(x), rise * (1.0 + x * sigmoid(-x))                   # σ + x σ (1 - σ)
@rule("maximum({x}, 0.0) + log1p(exp(minimum(-{x}, {x})))", "Soft rectifier, log(1 + e**x): softplus(-1000.0) is 0.0")
def softplus(x): return softplus(x), sigmoid(x)
# Sequences ------------------------------------------------------------------------------------------------------------
@rule("sum([{x}])", "The sum of a sequence, rounded once: sum([0.1] * 10) is 1.0")
def sum(*x): return sum(x), *[1.0] * len(x)
@rule("dot([{x}], [{y}])", "The dot product of two sequences of one length: dot([1.0, 2.0], [3.0, 4.0]) is 11.0")
def dot(*x):
    xs, ys = x[:len(x) // 2], x[len(x) // 2:]
    return dot(xs, ys), *ys, *xs
@rule("norm([{x}])", "The length √(Σ x²) of a vector, slopes 0 at the origin: norm([2.0, 3.0, 6.0]) is 7.0")
def norm(*x): return norm(x), *directions(x)                         # x / norm(x)
@rule("logsumexp([{x}])", "The logarithm of the sum of e**x over a sequence: logsumexp([1000.0]) is 1000.0")
def logsumexp(*x): return logsumexp(x), *softmax(x)
@rule("softmax([{x}])[0]", "The shares of e**x in their sum, a list: softmax([5.0, 5.0]) is [0.5, 0.5]")
def softmax(*x):
    first, *rest = softmax(x)
    return first, first * sum(rest), *[-first * other for other in rest]
@rule("log_softmax([{x}])[0]", "The logarithms of the shares of e**x in their sum, a list: log_softmax([5.0]) is [0.0]")
def log_softmax(*x):
    _, *rest = softmax(x)
    return log_softmax(x)[0], sum(rest), *[-other for other in rest]

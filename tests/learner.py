"""An engine as one writes it after the first evening, for tests that break it: see test_check_engine.py."""

import math


class Value:
    def __init__(self, data, children=(), tangent=0.0):
        self.data = data
        self.grad = 0.0
        self.tangent = tangent
        self._children = children
        self._backward = lambda: None

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other), self.tangent + other.tangent)

        def _backward():
            self.grad += out.grad
            other.grad += out.grad

        out._backward = _backward
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        x, y = self.data, other.data
        out = Value(x * y, (self, other), self.tangent * y + x * other.tangent)

        def _backward():
            self.grad += y * out.grad
            other.grad += x * out.grad

        out._backward = _backward
        return out

    def _function(self, data, slope):
        out = Value(data, (self,), self.tangent * slope)

        def _backward():
            self.grad += slope * out.grad

        out._backward = _backward
        return out

    def __pow__(self, n):
        return self._function(self.data**n, n * self.data ** (n - 1) if n else 0.0)

    def __neg__(self):
        return self._function(-self.data, -1.0)

    def exp(self):
        out = math.exp(self.data)
        return self._function(out, out)

    def log(self):
        return self._function(math.log(self.data), 1.0 / self.data)

    def tanh(self):
        t = math.tanh(self.data)
        return self._function(t, 1.0 - t * t)

    def sigmoid(self):
        s = 0.5 + 0.5 * math.tanh(0.5 * self.data)
        return self._function(s, s * (1.0 - s))

    def relu(self):
        return self._function(max(self.data, 0.0), float(self.data > 0.0))

    def backward(self):
        order, visited, stack = [], set(), [(self, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif node not in visited:
                visited.add(node)
                stack.append((node, True))
                stack += [(child, False) for child in node._children]
        for node in order:
            if node._children:
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):
            node._backward()

    def __sub__(self, other):
        return self + -(other if isinstance(other, Value) else Value(other))

    def __rsub__(self, other):
        return Value(other) - self

    def __truediv__(self, other):
        return self * (other if isinstance(other, Value) else Value(other)) ** -1

    def __rtruediv__(self, other):
        return Value(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

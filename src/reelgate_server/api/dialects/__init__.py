"""The documented REST APIs of three public gateways: names, shapes, codes and the order of checks; no business rule."""

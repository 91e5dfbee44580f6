"""`python -m tests.proved`: how many digits of the closed forms are proved, over the whole grid."""

from tests.proved.grids import PHI_CELLS, WISHART_CELLS, phi_errors, wishart_errors


def main() -> None:
    """Print the largest relative error of each field, of those that the balls prove."""
    worst: dict[str, tuple[float, object]] = {}
    for errors, cells in ((wishart_errors, WISHART_CELLS), (phi_errors, PHI_CELLS)):
        for cell in cells:
            for name, error in errors(*cell).items():
                worst[name] = max(worst.get(name, (0.0, None)), (error, cell), key=lambda x: x[0])
    for name, (error, cell) in worst.items():
        print(f"{name:12s} is proved to a relative error of {error:.1e}, the largest at {cell}")


if __name__ == "__main__":
    main()

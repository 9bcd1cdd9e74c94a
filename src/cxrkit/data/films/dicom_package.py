"""What to say when the packages that read DICOM are not there: they are an extra, for few need them."""

from cxrkit.errors import CxrkitError


def missing_dicom_package(name: str) -> CxrkitError:
    """Gives the error that says how to install what reads DICOM files."""
    return CxrkitError(
        "a film is a DICOM file, and a package that reads it is not installed",
        expected="pydicom with its decoders",
        found=f"no package {name}",
        next_step="pip install 'cxrkit[dicom]', or use the JPEG files of MIMIC-CXR-JPG",
    )

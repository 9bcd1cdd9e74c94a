"""Films for the tests of `cxrkit.data.films`: smooth pictures as JPEG, PNG and DICOM bytes."""

import io

import numpy as np
from PIL import Image


def smooth(width, height, seed=0):
    """A picture without hard edges, so that ways of shrinking it agree."""
    coarse = np.random.default_rng(seed).integers(20, 235, (max(2, height // 25), max(2, width // 25)))
    image = Image.fromarray(coarse.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image)


def grainy(width, height, seed=0):
    """A picture with grain, whose JPEG is long enough to lose 4 KiB in its middle."""
    noise = np.random.default_rng(seed).normal(0, 12, (height, width))
    return (smooth(width, height, seed) + noise).clip(0, 255).astype(np.uint8)


def encoded(pixels, form="JPEG", mode=None, **options):
    image = Image.fromarray(pixels)
    stream = io.BytesIO()
    settings = {"quality": 95} if form == "JPEG" else {}
    (image.convert(mode) if mode else image).save(stream, form, **settings, **options)
    return stream.getvalue()


def dicom_dataset(codes, bits=12, syntax=None, **tags):
    """A data set as a radiography machine writes it; `codes` `[h, w]`, signed or not, 8 or 16 bits."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax or ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.Rows, dataset.Columns = codes.shape
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.SamplesPerPixel = 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * codes.dtype.itemsize, bits, bits - 1
    dataset.PixelRepresentation = int(codes.dtype.kind == "i")
    dataset.PixelData = codes.tobytes()
    dataset["PixelData"].VR = "OW"
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


def dicom_bytes(dataset):
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def encapsulated(stream, codes, bits, syntax):
    """A data set whose one frame is a compressed stream made elsewhere."""
    from pydicom.encaps import encapsulate

    dataset = dicom_dataset(codes, bits, syntax)
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].is_undefined_length = True
    return dataset


def lossless_jpeg_bytes(codes, bits, tmp_path, process="JPEGLosslessProcess14_1"):
    """The DICOM file of a film in lossless JPEG, encoded by GDCM."""
    import gdcm

    plain, compressed = tmp_path / "plain.dcm", tmp_path / "compressed.dcm"
    plain.write_bytes(dicom_bytes(dicom_dataset(codes, bits)))
    reader = gdcm.ImageReader()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, process)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(compressed))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return compressed.read_bytes()

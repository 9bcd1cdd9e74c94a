"""The program of the process in which a lossless JPEG is decoded: frame on stdin, codes on stdout."""

import sys


def main() -> None:
    """Decodes the frame of the size and kind that the arguments name; exit code 1 when it cannot."""
    import gdcm

    width, height, bits_allocated, signed = (int(word) for word in sys.argv[1:5])
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(sys.stdin.buffer.read())
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((width, height, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(
        gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2)
    )
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14))
    image.SetPixelFormat(gdcm.PixelFormat(1, bits_allocated, bits_allocated, bits_allocated - 1, signed))
    # GDCM hands its bytes out as text.
    sys.stdout.buffer.write(image.GetBuffer().encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    main()

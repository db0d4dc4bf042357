"""How to get each data set, and how its folder must look."""

from __future__ import annotations

from transclipped.datasets import flickr25k, nuswide

NEEDS_FOLDER = ("mirflickr", "nuswide", "folder", "embeddings")
TITLES = {  # of those offered
    "cifar10": "CIFAR-10",
    "caltech101": "Caltech-101",
    "collage": "Collages",
    "mirflickr": "Flickr25K",
    "nuswide": "NUS-WIDE",
    "folder": "A folder of your own",
}
ABOUT = {
    "cifar10": "60,000 pictures of 32 × 32 pixels in 10 classes, bundled as JPEG re-encodings.",
    "caltech101": "3,030 photographs of 101 kinds of object, bundled.",
    "collage": "Pairs of Caltech-101 photographs side by side, which carry both labels: multi-label retrieval without "
    "a download.",
    "mirflickr": "MIRFLICKR-25000: 25,000 photographs of Flickr with 24 labels, several a picture.",
    "nuswide": "Photographs of Flickr with the 21 most frequent of 81 concepts, about 195,800 of 269,648.",
    "folder": "Any pictures of yours, nested or flat, with or without labels.",
}
GET = {
    "mirflickr": f"It cannot be bundled. Download `mirflickr25k.zip` and `mirflickr25k_annotations_v080.zip` from "
    f"{flickr25k.URL}, unpack both, and give the folder:",
    "nuswide": f"It cannot be bundled. The lists are at {nuswide.URL}; the pictures come on request, and most copies "
    f"lack some, which are then counted and named. Give the folder:",
    "folder": "Type the path of a folder on this machine. Sub-folders are searched too; the names of the first ones "
    "are labels if there are at least two. A CSV can label pictures instead:",
}
LAYOUT = {
    "mirflickr": flickr25k.LAYOUT,
    "nuswide": nuswide.LAYOUT,
    "folder": "holiday/beach/1.jpg        labels from folders: beach, mountains\nholiday/mountains/2.heic\n\n"
    "id,label                   labels.csv: one label, or several with ;\nbeach/1.jpg,sea;sky\nmountains/2.heic,snow",
}
PRIVACY = (
    "**Nothing leaves this machine.** Your pictures stay where they are and are never changed. A run or a collection "
    "keeps their names, labels and codes. The cache keeps what is listed here; it can be deleted at any time, and is "
    "made again when it is needed."
)

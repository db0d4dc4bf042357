"""What a result cites, as BibTeX: data set, backbone, loss, clipping rule, quantizer and measures of a run.

Titles, authors, venues, years and arXiv numbers of the less familiar half were compared with how other works cite them.
Volumes, pages and publishers were not, so no entry has any.
"""

from __future__ import annotations

from collections.abc import Iterable

from transclipped.config import RunConfig
from transclipped.models.backbone import BUNDLED

# key: (kind, title, authors, where, year, arXiv number)
_WORKS = {
    "dubey2024": (
        "inproceedings",
        "Transformer-Based Clipped Contrastive Quantization Learning for Unsupervised Image Retrieval",
        "Dubey, Ayush and Dubey, Shiv Ram and Singh, Satish Kumar and Chu, Wei-Ta",
        "IEEE International Conference on Image Processing",
        2024,
        "2401.15362",
    ),
    "wang2022": (
        "inproceedings",
        "Contrastive Quantization with Code Memory for Unsupervised Image Retrieval",
        "Wang, Jinpeng and Zeng, Ziyun and Chen, Bin and Dai, Tao and Xia, Shu-Tao",
        "AAAI Conference on Artificial Intelligence",
        2022,
        "2109.05205",
    ),
    "chen2020": (
        "inproceedings",
        "A Simple Framework for Contrastive Learning of Visual Representations",
        "Chen, Ting and Kornblith, Simon and Norouzi, Mohammad and Hinton, Geoffrey",
        "International Conference on Machine Learning",
        2020,
        "2002.05709",
    ),
    "huynh2022": (
        "inproceedings",
        "Boosting Contrastive Self-Supervised Learning with False Negative Cancellation",
        "Huynh, Tri and Kornblith, Simon and Walter, Matthew R. and Maire, Michael and Khademi, Maryam",
        "IEEE/CVF Winter Conference on Applications of Computer Vision",
        2022,
        "2011.11765",
    ),
    "chuang2020": (
        "inproceedings",
        "Debiased Contrastive Learning",
        "Chuang, Ching-Yao and Robinson, Joshua and Lin, Yen-Chen and Torralba, Antonio and Jegelka, Stefanie",
        "Advances in Neural Information Processing Systems",
        2020,
        "2007.00224",
    ),
    "gao2021": (
        "inproceedings",
        "SimCSE: Simple Contrastive Learning of Sentence Embeddings",
        "Gao, Tianyu and Yao, Xingcheng and Chen, Danqi",
        "Conference on Empirical Methods in Natural Language Processing",
        2021,
        "2104.08821",
    ),
    "jegou2011": (
        "article",
        "Product Quantization for Nearest Neighbor Search",
        r"J{\'e}gou, Herv{\'e} and Douze, Matthijs and Schmid, Cordelia",
        "IEEE Transactions on Pattern Analysis and Machine Intelligence",
        2011,
        None,
    ),
    "mcsherry2008": (
        "inproceedings",
        "Computing Information Retrieval Performance Measures Efficiently in the Presence of Tied Scores",
        "McSherry, Frank and Najork, Marc",
        "European Conference on Information Retrieval",
        2008,
        None,
    ),
    "douze2024": ("misc", "The Faiss library", "Douze, Matthijs and others", None, 2024, "2401.08281"),
    "krizhevsky2009": (
        "techreport",
        "Learning Multiple Layers of Features from Tiny Images",
        "Krizhevsky, Alex",
        "University of Toronto",
        2009,
        None,
    ),
    "feifei2004": (
        "inproceedings",
        "Learning Generative Visual Models from Few Training Examples: An Incremental Bayesian Approach Tested on 101 "
        "Object Categories",
        "Fei-Fei, Li and Fergus, Rob and Perona, Pietro",
        "CVPR Workshop on Generative-Model Based Vision",
        2004,
        None,
    ),
    "huiskes2008": (
        "inproceedings",
        "The MIR Flickr Retrieval Evaluation",
        "Huiskes, Mark J. and Lew, Michael S.",
        "ACM International Conference on Multimedia Information Retrieval",
        2008,
        None,
    ),
    "chua2009": (
        "inproceedings",
        "NUS-WIDE: A Real-World Web Image Database from National University of Singapore",
        "Chua, Tat-Seng and Tang, Jinhui and Hong, Richang and Li, Haojie and Luo, Zhiping and Zheng, Yantao",
        "ACM International Conference on Image and Video Retrieval",
        2009,
        None,
    ),
    "wightman2019": ("misc", "PyTorch Image Models", "Wightman, Ross", None, 2019, None),
    "dosovitskiy2021": (
        "inproceedings",
        "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
        "Dosovitskiy, Alexey and others",
        "International Conference on Learning Representations",
        2021,
        "2010.11929",
    ),
    "tan2019": (
        "inproceedings",
        "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        "Tan, Mingxing and Le, Quoc V.",
        "International Conference on Machine Learning",
        2019,
        "1905.11946",
    ),
    "he2016": (
        "inproceedings",
        "Deep Residual Learning for Image Recognition",
        "He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian",
        "IEEE Conference on Computer Vision and Pattern Recognition",
        2016,
        "1512.03385",
    ),
    "liu2022": (
        "inproceedings",
        "A ConvNet for the 2020s",
        "Liu, Zhuang and others",
        "IEEE/CVF Conference on Computer Vision and Pattern Recognition",
        2022,
        "2201.03545",
    ),
    "caron2021": (
        "inproceedings",
        "Emerging Properties in Self-Supervised Vision Transformers",
        "Caron, Mathilde and others",
        "IEEE/CVF International Conference on Computer Vision",
        2021,
        "2104.14294",
    ),
    "oquab2024": (
        "article",
        "DINOv2: Learning Robust Visual Features without Supervision",
        "Oquab, Maxime and others",
        "Transactions on Machine Learning Research",
        2024,
        "2304.07193",
    ),
    "simeoni2025": ("misc", "DINOv3", r"Sim{\'e}oni, Oriane and others", None, 2025, "2508.10104"),
    "radford2021": (
        "inproceedings",
        "Learning Transferable Visual Models From Natural Language Supervision",
        "Radford, Alec and others",
        "International Conference on Machine Learning",
        2021,
        "2103.00020",
    ),
    "he2022": (
        "inproceedings",
        "Masked Autoencoders Are Scalable Vision Learners",
        r"He, Kaiming and Chen, Xinlei and Xie, Saining and Li, Yanghao and Doll{\'a}r, Piotr and Girshick, Ross",
        "IEEE/CVF Conference on Computer Vision and Pattern Recognition",
        2022,
        "2111.06377",
    ),
}
_WHERE = {"inproceedings": "booktitle", "article": "journal", "techreport": "institution"}
_ALWAYS = ("wang2022", "chen2020", "jegou2011", "mcsherry2008", "douze2024")
_DATASETS = {
    "cifar10": "krizhevsky2009",
    "caltech101": "feifei2004",
    "collage": "feifei2004",
    "mirflickr": "huiskes2008",
    "flickr25k": "huiskes2008",
    "nuswide": "chua2009",
    "nus-wide": "chua2009",
    "embeddings": "gao2021",
}
_RULES = {
    "rank": ("dubey2024",),
    "rank+threshold": ("dubey2024", "huynh2022"),
    "debiased": ("chuang2020",),
}
_BACKBONES = (  # (part of the name, key); all that fit
    ("hybrid-vit", "dosovitskiy2021"),
    ("vit_", "dosovitskiy2021"),
    ("hybrid-vit", "tan2019"),
    ("efficientnet", "tan2019"),
    ("resnet", "he2016"),
    ("convnext", "liu2022"),
    (".dino", "caron2021"),
    ("dinov2", "oquab2024"),
    ("dinov3", "simeoni2025"),
    ("clip", "radford2021"),
    (".mae", "he2022"),
)


def cited(config: RunConfig) -> list[str]:
    """Keys of what a run with these settings builds on, sorted."""
    keys = {*_ALWAYS, *_RULES.get(config.clipping.rule, ())}
    name = config.backbone.name
    keys |= {key for part, key in _BACKBONES if part in name}
    if config.backbone.train != "frozen" or name in BUNDLED or "." in name or "_" in name:
        keys.add("wightman2019")
    if config.data.dataset in _DATASETS:
        keys.add(_DATASETS[config.data.dataset])
    return sorted(keys)


def bibtex(keys: Iterable[str]) -> str:
    """Entries of a .bib file, sorted by key."""
    return "\n\n".join(_entry(key, *_WORKS[key]) for key in sorted(set(keys))) + "\n"


def _entry(key: str, kind: str, title: str, authors: str, where: str | None, year: int, arxiv: str | None) -> str:
    fields = {"title": f"{{{title}}}", "author": authors, "year": str(year)}
    if where:
        fields[_WHERE[kind]] = where
    if arxiv:
        fields |= {"eprint": arxiv, "archivePrefix": "arXiv"}
    if key == "wightman2019":
        fields["howpublished"] = r"\url{https://github.com/huggingface/pytorch-image-models}"
    inside = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{kind}{{{key},\n{inside}\n}}"

# The app, on the CPU:
#   docker build -t lafe . && docker run --rm -p 8501:8501 lafe
# More checkpoints, and training photos for the page Look-alikes:
#   docker run --rm -p 8501:8501 -v ~/runs:/runs -v ~/data:/data lafe --checkpoints /runs --data /data
FROM python:3.12-slim AS wheel
COPY . /src
RUN pip wheel --no-deps --wheel-dir /wheel /src

FROM python:3.12-slim
# PyTorch from PyPI brings CUDA, which this image has no use for.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch torchvision
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip install --no-cache-dir "$(ls /wheel/*.whl)[app]"
RUN useradd --create-home lafe
USER lafe
WORKDIR /home/lafe
EXPOSE 8501
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://localhost:8501/_stcore/health')"]
ENTRYPOINT ["lafe", "app", "--no-browser", "--address", "0.0.0.0"]

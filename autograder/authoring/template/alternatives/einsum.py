def squared_error(prediction, target):
    difference = prediction - target
    return torch.einsum("nd,nd->", difference, difference) / len(difference)
